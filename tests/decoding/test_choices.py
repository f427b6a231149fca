"""The best choices of a row, with ties, against Python's own stable sort."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.decoding.choices import best_choices

LEVELS = (float("-inf"), -3.0, -2.0, -1.0, -0.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@given(
    rows=st.lists(st.lists(st.sampled_from(LEVELS), min_size=7, max_size=7), min_size=1, max_size=5),
    count=st.integers(1, 9),
)
def test_equal_values_go_to_the_lower_token(dtype, rows, count):
    values, tokens = best_choices(torch.tensor(rows, dtype=dtype), count)
    for row, got_values, got_tokens in zip(rows, values.tolist(), tokens.tolist(), strict=True):
        wanted = sorted(range(7), key=lambda token: -row[token])[:count]
        assert got_values == [row[token] for token in wanted]
        possible = [token for token in wanted if row[token] > float("-inf")]
        assert got_tokens[: len(possible)] == possible


def test_a_row_is_chosen_from_the_same_in_any_batch():
    """``topk`` may break ties by the shape of the batch; coarse values over a real vocabulary make many."""
    log_probs = torch.randn(13, 4271, generator=torch.Generator().manual_seed(3)).mul(2).round()
    values, tokens = best_choices(log_probs, 5)
    for i in range(13):
        alone = best_choices(log_probs[i : i + 1], 5)
        assert torch.equal(alone[0][0], values[i])
        assert torch.equal(alone[1][0], tokens[i])
    order = log_probs.sort(dim=1, descending=True, stable=True).indices[:, :5]
    assert torch.equal(tokens, order)
