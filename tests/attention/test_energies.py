"""Scores and the normalizer on their own: closed forms that can be checked with a pencil."""

from __future__ import annotations

import math

import attention_references
import pytest
import torch
from building import LENGTHS, assert_same, mask_of, normal, numbers, sizes_of, small_attention
from plain import softmax
from specs import NAMES, parse

from seq2seq_attn.attention import Score, find_attention
from seq2seq_attn.attention.normalizers import Softmax
from seq2seq_attn.attention.scored import ScoredAttention

SCORES = [name for name in NAMES if parse(name).score == name and issubclass(find_attention(name).cls, Score)]
ONE_ROW = torch.tensor([[True, True]])


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
    assert torch.autograd.gradcheck(lambda queries, values, *_: score(queries, score.project(values)), inputs)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_says_where_it_comes_from(name):
    cls = find_attention(name)
    assert cls.paper
    assert cls.summary


def test_softmax_of_zero_and_one():
    weights = Softmax()(torch.tensor([[[0.0, 1.0]]], dtype=torch.float64), ONE_ROW)
    assert_same(weights, [[[1 / (1 + math.e), math.e / (1 + math.e)]]])


def test_equal_energies_give_the_mean():
    weights = Softmax()(torch.full((len(LENGTHS), 2, max(LENGTHS)), 3.25, dtype=torch.float64), mask_of(LENGTHS))
    for row, length in enumerate(LENGTHS):
        assert_same(weights[row, :, :length], [[1 / length] * length] * 2)


def test_energies_too_large_for_exp_are_compared_all_the_same():
    weights = Softmax()(torch.tensor([[[1e5, 1e5 + 1.0]]], dtype=torch.float64), ONE_ROW)
    assert_same(weights, [[[1 / (1 + math.e), math.e / (1 + math.e)]]], 1e-9)


def test_every_weight_is_that_of_plain_python():
    energies, mask = normal(len(LENGTHS), 3, max(LENGTHS), seed=4) * 5, mask_of(LENGTHS)
    weights = Softmax()(energies, mask)
    for row, length in enumerate(LENGTHS):
        for step in range(3):
            assert_same(weights[row, step, :length], softmax(energies[row, step, :length].tolist()))
            assert (weights[row, step, length:] == 0).all()


def test_gradients_of_the_normalizer():
    energies = normal(2, 3, 5, seed=4).requires_grad_()
    mask = mask_of((5, 2))
    assert torch.autograd.gradcheck(lambda energies: Softmax()(energies, mask), (energies,))
    assert torch.autograd.gradgradcheck(lambda energies: Softmax()(energies, mask), (energies,))


def test_nan_energy_on_padding_reaches_neither_weights_nor_gradients():
    energies, mask = normal(2, 3, 5, seed=4), mask_of((5, 2))
    spoilt = energies.masked_fill(~mask.unsqueeze(1), math.nan).requires_grad_()
    weights = Softmax()(spoilt, mask)
    (gradient,) = torch.autograd.grad((weights * normal(2, 3, 5, seed=5)).sum(), spoilt)
    assert torch.equal(weights, Softmax()(energies, mask))
    assert gradient.isfinite().all()
    assert (gradient[1, :, 2:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_energies_become_single_precision_weights(dtype):
    """Two energies of 200 and 200.5 differ in the weights, not only after rounding."""
    weights = Softmax()(torch.tensor([[[200.0, 201.0]]], dtype=dtype), ONE_ROW)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights[0, 0], torch.tensor([1 / (1 + math.e), math.e / (1 + math.e)]))
