"""Normalizers on their own: closed forms, the bisection solution, and what all of them owe."""

from __future__ import annotations

import math
from collections.abc import Callable

import attention_references
import pytest
import torch
from building import LENGTHS, assert_same, mask_of, normal
from torch import Tensor

from seq2seq_attn.attention import AttentionParts, build_attention
from seq2seq_attn.attention.normalizers import NORMALIZERS, Entmax15, Normalizer, Softmax, Sparsemax

SPARSE = [name for name in NORMALIZERS if name != "softmax"]
DIFFERENCES = [0.0, 0.3, 0.75, 1.0, 1.9, 2.0, 7.0]
every_normalizer = pytest.mark.parametrize("name", NORMALIZERS)


def softmax_of_two(difference: float) -> float:
    return 1 / (1 + math.exp(-difference))


def sparsemax_of_two(difference: float) -> float:
    return min((1 + difference) / 2, 1.0)


def entmax_of_two(difference: float) -> float:
    """From a^2 + (a + d/2)^2 = 1, where a is the root of the smaller weight."""
    half = difference / 2
    smaller = (math.sqrt(2 - half**2) - half) / 2 if half < 1 else 0.0
    return 1 - smaller**2


LARGER_OF_TWO: dict[str, Callable[[float], float]] = {
    "softmax": softmax_of_two,
    "sparsemax": sparsemax_of_two,
    "entmax-1.5": entmax_of_two,
}
"""The weight of the larger of two energies, by their difference."""


def normalizer(name: str) -> Normalizer:
    return NORMALIZERS[name]()


def weights_of(name: str, energies: list[float] | Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """The weights of one row without padding."""
    row = torch.as_tensor(energies, dtype=dtype)
    return normalizer(name)(row.view(1, 1, -1), torch.ones(1, 1, len(row), dtype=torch.bool))[0, 0]


def padded(lengths: tuple[int, ...] = LENGTHS) -> Tensor:
    return mask_of(lengths).unsqueeze(1)


def test_every_normalizer_is_written_in_plain_python_too():
    assert attention_references.NORMALIZERS.keys() == NORMALIZERS.keys() == LARGER_OF_TWO.keys()


@every_normalizer
def test_a_normalizer_says_where_it_comes_from(name):
    assert NORMALIZERS[name].paper
    assert NORMALIZERS[name].summary


@every_normalizer
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_two_energies(name, difference):
    larger = LARGER_OF_TWO[name](difference)
    assert_same(weights_of(name, [0.0, difference]), [1 - larger, larger])
    assert_same(weights_of(name, [0.25 + difference, 0.25]), [larger, 1 - larger])


@every_normalizer
def test_equal_energies_give_the_mean(name):
    energies = torch.full((len(LENGTHS), 2, max(LENGTHS)), 3.25, dtype=torch.float64)
    weights = normalizer(name)(energies, padded())
    for row, length in enumerate(LENGTHS):
        assert_same(weights[row, :, :length], [[1 / length] * length] * 2)


@every_normalizer
@pytest.mark.parametrize("energy", [0.0, -1e5, 1e5])
def test_one_token_gets_all_the_weight(name, energy):
    assert weights_of(name, [energy]).tolist() == [1.0]


@every_normalizer
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_every_weight_is_that_of_plain_python(name, scale):
    energies, mask = normal(len(LENGTHS), 3, max(LENGTHS), seed=4) * scale, padded()
    weights = normalizer(name)(energies, mask)
    reference = attention_references.NORMALIZERS[name]
    for row, length in enumerate(LENGTHS):
        for step in range(3):
            assert_same(weights[row, step, :length], reference(energies[row, step, :length].tolist()))
            assert (weights[row, step, length:] == 0).all()


@every_normalizer
def test_long_sentences_and_single_precision(name):
    energies, mask = normal(2, 3, 97, seed=4), padded((97, 61))
    weights = normalizer(name)(energies, mask)
    assert_same(weights[0, 0], attention_references.NORMALIZERS[name](energies[0, 0].tolist()))
    assert_same(weights.sum(-1), [[1.0] * 3] * 2)
    assert_same(normalizer(name)(energies.float(), mask), weights, 2e-6)


@every_normalizer
@pytest.mark.parametrize("base", [1e5, -1e5])
def test_large_energies_are_compared_all_the_same(name, base):
    """Standing for: sums of large energies, in which their differences are lost."""
    plain = weights_of(name, [0.0, 0.5, 0.25, -0.5])
    assert_same(weights_of(name, [base, base + 0.5, base + 0.25, base - 0.5]), plain)
    single = weights_of(name, [base, base + 0.5, base + 0.25, base - 0.5], torch.float32)
    assert_same(single, plain, 1e-6)  # a quarter is a step that float32 still has at 1e5
    apart = weights_of(name, [base, -base, base])
    assert_same(apart, [0.5, 0.0, 0.5] if base > 0 else [0.0, 1.0, 0.0])
    assert (apart == 0).sum() == (1 if base > 0 else 2)


@every_normalizer
def test_what_is_added_to_all_energies_changes_nothing(name):
    energies, mask = normal(len(LENGTHS), 3, max(LENGTHS), seed=4), padded()
    shift = normal(len(LENGTHS), 3, 1, seed=5) * 100
    assert_same(normalizer(name)(energies + shift, mask), normalizer(name)(energies, mask))


@every_normalizer
def test_positions_may_come_in_any_order(name):
    energies, order = normal(13, seed=4), torch.randperm(13, generator=torch.Generator().manual_seed(5))
    assert_same(weights_of(name, energies[order]), weights_of(name, energies)[order])


@every_normalizer
def test_equal_energies_get_equal_weights(name):
    weights = weights_of(name, [0.75, 0.5, 0.75, -3.0, 0.5, 0.75])
    assert len({weights[0].item(), weights[2].item(), weights[5].item()}) == 1
    assert weights[1] == weights[4]
    assert_same(weights, attention_references.NORMALIZERS[name]([0.75, 0.5, 0.75, -3.0, 0.5, 0.75]))


@every_normalizer
def test_each_query_may_see_positions_of_its_own(name):
    """A window leaves other positions to every step."""
    energies = normal(2, 3, 5, seed=4)
    mask = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(6)) < 0.6
    mask[:, :, 1] = True
    assert mask.any(-1).all()
    assert not mask.all(-1).all()
    weights = normalizer(name)(energies, mask)
    for row in range(2):
        for step in range(3):
            seen = mask[row, step]
            assert (weights[row, step, ~seen] == 0).all()
            assert_same(weights[row, step, seen], weights_of(name, energies[row, step, seen]))


@every_normalizer
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_gradients_are_those_of_finite_differences(name, scale):
    energies = (normal(2, 3, 5, seed=4) * scale).requires_grad_()
    mask = padded((5, 2))
    assert torch.autograd.gradcheck(lambda energies: normalizer(name)(energies, mask), (energies,))
    assert torch.autograd.gradgradcheck(lambda energies: normalizer(name)(energies, mask), (energies,))


@every_normalizer
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e300])
def test_garbage_on_padding_reaches_neither_weights_nor_gradients(name, garbage):
    energies, mask = normal(2, 3, 5, seed=4), padded((5, 2))

    def weights_and_gradient(energies: Tensor) -> tuple[Tensor, Tensor]:
        energies = energies.clone().requires_grad_()
        weights = normalizer(name)(energies, mask)
        return weights, torch.autograd.grad((weights * normal(2, 3, 5, seed=5)).sum(), energies)[0]

    weights, gradient = weights_and_gradient(energies.masked_fill(~mask, garbage))
    clean, clean_gradient = weights_and_gradient(energies)
    assert torch.equal(weights, clean)
    assert torch.equal(gradient, clean_gradient)
    assert (gradient[1, :, 2:] == 0).all()
    assert gradient[0].any()


@every_normalizer
def test_nan_energy_of_a_token_becomes_nan_weights_and_no_crash(name):
    """Training that has diverged must come as far as the check that says so."""
    energies = normal(2, 1, 5, seed=4)
    clean = normalizer(name)(energies, padded((5, 5)))
    energies[0, 0, 3] = math.nan
    weights = normalizer(name)(energies, padded((5, 5)))
    assert weights[0].isnan().all()
    assert torch.equal(weights[1], clean[1])


@every_normalizer
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_energies_become_single_precision_weights(name, dtype):
    """Energies of 200 and 201 are 1 apart, and not equal after rounding."""
    energies = torch.tensor([[[200.0, 201.0]]], dtype=dtype, requires_grad=True)
    weights = normalizer(name)(energies, torch.ones(1, 1, 2, dtype=torch.bool))
    assert weights.dtype == torch.float32
    larger = LARGER_OF_TWO[name](1.0)
    assert_same(weights, [[[1 - larger, larger]]], 1e-6)
    assert torch.autograd.grad(weights.square().sum(), energies)[0].dtype == dtype


@every_normalizer
@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 3.0, 1000.0])
def test_temperature_divides_the_energies(name, temperature):
    parts = AttentionParts(normalize=name, temperature=temperature)
    attention = build_attention("luong-dot", parts, query_size=5, value_size=5, hidden_size=2)
    query, values = normal(1, 2, 5, seed=2), normal(1, 7, 5, seed=3)
    weights = attention(query, attention.memorize(values, torch.ones(1, 7, dtype=torch.bool)), ()).weights[0]
    energies = (query @ values.mT)[0]
    for row, energy in zip(weights, energies, strict=True):
        assert_same(row, attention_references.NORMALIZERS[name]((energy / temperature).tolist()))
        if temperature == 0.01:
            assert row.argmax() == energy.argmax()
            assert row.max() > 0.999
        if temperature == 1000.0:
            assert_same(row, [1 / 7] * 7, 0.01)


def supports(scale: float) -> list[Tensor]:
    energies, mask = normal(23, 3, 29, seed=4) * scale, torch.ones(23, 1, 29, dtype=torch.bool)
    return [kind()(energies, mask) > 0 for kind in (Sparsemax, Entmax15, Softmax)]


def test_sparse_weights_are_sparse_and_softmax_is_not():
    few, more, all_positions = supports(1.0)
    assert all_positions.all()
    assert 1 < few.sum(-1).double().mean() < 0.4 * more.sum(-1).double().mean()
    assert more.sum(-1).double().mean() < 15
    assert few.sum(-1).min() >= 1


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_what_gets_weight_from_the_sparser_gets_it_from_the_softer(scale):
    few, more, all_positions = supports(scale)
    assert (few <= more).all()
    assert (more <= all_positions).all()


@pytest.mark.parametrize("difference", [0.05, 0.3, 0.8, 1.2, 1.9])
def test_entmax_lies_between_softmax_and_sparsemax(difference):
    soft, between, sparse = (weights_of(n, [0.0, difference])[1] for n in ("softmax", "entmax-1.5", "sparsemax"))
    assert 0.5 < soft < between < 1
    assert between < sparse <= 1


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    """No point that sums to one is nearer to the energies."""
    energies = normal(11, seed=4) / 2
    weights = weights_of("sparsemax", energies)
    assert 1 < (weights > 0).sum() < 11
    others = torch.rand(10_000, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).log().neg()
    others = others / others.sum(-1, keepdim=True)
    others = torch.cat([others, 0.01 * others + 0.99 * weights, torch.eye(11, dtype=torch.float64)])
    assert ((energies - weights).square().sum() < (energies - others).square().sum(-1)).all()


@pytest.mark.parametrize(("name", "edge"), [("sparsemax", 1.0), ("entmax-1.5", 2.0)])
def test_an_energy_right_at_the_edge_has_neither_weight_nor_gradient(name, edge):
    energies = torch.tensor([[[edge, 0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    weights = normalizer(name)(energies, torch.ones(1, 1, 3, dtype=torch.bool))
    assert weights.tolist() == [[[1.0, 0.0, 0.0]]]
    (gradient,) = torch.autograd.grad((weights * normal(1, 1, 3)).sum(), energies, create_graph=True)
    assert gradient.tolist() == [[[0.0, 0.0, 0.0]]]


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_gradients_are_those_of_the_papers_jacobian(name):
    """diag(g) - g g^T / sum g, where g is 1 on the support for sparsemax, and the root of the weight for entmax."""
    energies = normal(7, seed=4) / 2
    weights = weights_of(name, energies)
    assert 1 < (weights > 0).sum() < 7
    g = (weights > 0).double() if name == "sparsemax" else weights.sqrt()
    wanted = torch.diag(g) - torch.outer(g, g) / g.sum()
    assert_same(torch.autograd.functional.jacobian(lambda energies: weights_of(name, energies), energies), wanted)


def test_sparse_normalizers_go_through_torch_func():
    """Per-sentence gradients and the like."""
    energies = normal(5, seed=4)
    for name in SPARSE:
        found = torch.func.jacrev(lambda e, name=name: weights_of(name, e))(energies)
        wanted = torch.autograd.functional.jacobian(lambda e, name=name: weights_of(name, e), energies)
        assert_same(found, wanted)
