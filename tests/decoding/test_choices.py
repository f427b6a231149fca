"""The best choices of a row, with ties, against Python's own stable sort."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.decoding.choices import best_choices
from seq2seq_attn.errors import Seq2SeqError

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


EXCLUDED = [[], [3], [0, 4270, 64], list(range(60, 70))]


@pytest.mark.parametrize("excluded", EXCLUDED, ids=str)
@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("vocab", [11, 63, 64, 128, 200, 4271])
def test_excluded_tokens_are_as_good_as_impossible(vocab, count, excluded):
    """Against Python's stable sort, on coarse values and fine ones, over vocabularies around multiples of a chunk."""
    excluded = [token for token in excluded if token < vocab]
    for coarse in (True, False):
        ranks = torch.randn(7, vocab, generator=torch.Generator().manual_seed(vocab))
        ranks = ranks.mul(2).round() if coarse else ranks
        kept = ranks.clone()
        for_all = torch.tensor([excluded], dtype=torch.long)
        for_each = torch.full((7, 1), -1)  # the second row only
        for_each[1] = vocab // 2
        for banned_of in (for_all, torch.cat([for_all.expand(7, -1), for_each], dim=1)):
            values, tokens = best_choices(ranks, count, banned_of)
            assert torch.equal(ranks, kept)
            for row in range(7):
                banned = set(banned_of[row if len(banned_of) > 1 else 0].tolist())
                left = [-math.inf if token in banned else value for token, value in enumerate(ranks[row].tolist())]
                wanted = sorted(range(vocab), key=lambda token: -left[token])[:count]
                possible = [token for token in wanted if left[token] > -math.inf]
                assert tokens[row].tolist()[: len(possible)] == possible
                assert values[row].tolist() == [left[token] for token in wanted]


@pytest.mark.parametrize("count", [1, 5])
def test_of_all_equal_the_first_are_chosen(count):
    for vocab in (63, 64, 200, 4271):
        values, tokens = best_choices(torch.zeros(3, vocab), count, torch.tensor([[1]]))
        assert tokens.tolist() == [[0, 2, 3, 4, 5][:count]] * 3
        assert not values.any()


@pytest.mark.parametrize("count", [1, 5])
def test_not_a_number_is_noticed_wherever_it_is(count):
    for place in (0, 63, 64, 4000, 4270):
        ranks = torch.zeros(3, 4271)
        ranks[1, place] = math.nan
        with pytest.raises(Seq2SeqError, match="NaN"):
            best_choices(ranks, count)
