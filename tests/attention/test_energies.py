"""Scores on their own: every energy against its equation."""

from __future__ import annotations

import math

import attention_references
import pytest
import torch
from building import assert_same, mask_of, normal, numbers, sizes_of, small_attention
from specs import NAMES, parse
from torch import Tensor

from seq2seq_attn.attention import Score, build_attention, find_attention
from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.errors import DataError

SCORES = [name for name in NAMES if parse(name).score == name and issubclass(find_attention(name).cls, Score)]
LOCATION_SIZES = {"query_size": 3, "value_size": 5, "hidden_size": 2}


def score_of(name: str) -> Score:
    attention = small_attention(name)
    assert isinstance(attention, ScoredAttention)
    return attention.score


@pytest.mark.parametrize("name", SCORES)
def test_every_energy_is_that_of_the_equation(name):
    score, sizes = score_of(name), sizes_of(name)
    values, queries = normal(2, 5, sizes.value, seed=2), normal(2, 3, sizes.query, seed=3)
    energies = score(queries, score.project(values))
    reference = attention_references.SCORES[name](numbers(score))
    nothing = [0.0] * reference.key_size(sizes.value)
    for row in range(2):
        wanted = [
            [reference.energy(q, v, j, nothing) for j, v in enumerate(values[row].tolist())]
            for q in queries[row].tolist()
        ]
        assert_same(energies[row], wanted)


@pytest.mark.parametrize("name", SCORES)
def test_gradients_of_energies(name):
    score, sizes = score_of(name), sizes_of(name)
    values, queries = normal(2, 3, sizes.value, seed=2), normal(2, 2, sizes.query, seed=3)
    inputs = (queries.requires_grad_(), values.requires_grad_(), *score.parameters())

    def energies(queries: Tensor, values: Tensor, *_: Tensor) -> Tensor:
        return score(queries, score.project(values))

    assert torch.autograd.gradcheck(energies, inputs)
    assert torch.autograd.gradgradcheck(energies, inputs)


def test_a_normed_score_begins_as_the_one_that_is_not():
    """Standing for: a scale that begins near zero, as far from sharp weights as training takes to get there."""
    sizes = {"query_size": 3, "value_size": 5, "hidden_size": 64}
    torch.manual_seed(1)
    plain = find_attention("bahdanau").cls(**sizes)
    torch.manual_seed(1)
    normed = find_attention("bahdanau-normed").cls(**sizes)
    values, queries = torch.randn(2, 5, 5), torch.randn(2, 3, 3)
    torch.testing.assert_close(normed(queries, normed.project(values)), plain(queries, plain.project(values)))


@pytest.mark.parametrize("name", SCORES)
def test_a_score_says_where_it_comes_from(name):
    cls = find_attention(name)
    assert cls.paper
    assert cls.summary


def location_attention() -> ScoredAttention:
    """One whose rows are 0, 1, 2 and so on in every column."""
    attention = build_attention("luong-location", **LOCATION_SIZES).double()
    assert isinstance(attention, ScoredAttention)
    rows = attention.score.position_layer.weight
    with torch.no_grad():
        rows.copy_(torch.arange(len(rows)).unsqueeze(1).expand_as(rows))
    return attention


def test_location_energies_are_the_rows_of_the_positions_times_the_state():
    attention, query = location_attention(), torch.tensor([[[1.0, 0.5, -1.25]]]).double()
    keys = attention.score.project(normal(1, 4, 5))
    assert keys.shape == (1, 4, 0)
    assert_same(attention.score(query, keys), [[[0.0, 0.25, 0.5, 0.75]]])


def test_location_weights_know_nothing_of_what_is_there():
    attention, queries, mask = location_attention(), normal(2, 3, 3), mask_of((4, 2))
    found, other = (attention(queries, attention.memorize(normal(2, 4, 5, seed=s), mask)) for s in (2, 7))
    assert torch.equal(found.weights, other.weights)
    assert not torch.equal(found.context, other.context)


def test_rows_of_positions_that_the_batch_does_not_have_are_not_touched():
    attention, queries, mask = location_attention(), normal(1, 3, 3), mask_of((4,))
    clean = attention(queries, attention.memorize(normal(1, 4, 5), mask))
    rows = attention.score.position_layer.weight
    with torch.no_grad():
        rows[4:] = math.nan
    found = attention(queries, attention.memorize(normal(1, 4, 5), mask))
    (gradient,) = torch.autograd.grad(found.context.sum(), rows)
    assert torch.equal(found.weights, clean.weights)
    assert gradient[:4].any()
    assert not gradient[4:].any()


@pytest.mark.parametrize("positions", [13, 1024])
def test_a_source_longer_than_the_rows_is_refused_with_both_numbers(positions, monkeypatch):
    monkeypatch.setattr("seq2seq_attn.attention.scores.location.POSITIONS", positions)
    attention = build_attention("luong-location", **LOCATION_SIZES)
    longest = torch.zeros(1, positions, 5)
    assert attention.memorize(longest, torch.ones(1, positions, dtype=torch.bool)).keys.shape[1] == positions
    longer = torch.zeros(1, positions + 1, 5)
    with pytest.raises(DataError) as caught:
        attention.memorize(longer, torch.ones(1, positions + 1, dtype=torch.bool))
    assert str(caught.value) == (
        f"a source sentence has {positions + 1} tokens, but the location score of luong-location knows {positions} "
        "source positions; split the sentence, or train with another model.attention"
    )
