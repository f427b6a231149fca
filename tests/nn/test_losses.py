"""The output loss: torch's own cross-entropy and plain Python, in any number of pieces."""

from __future__ import annotations

import pytest
import references
import torch
import torch.nn.functional as F
from building import assert_same, normal
from torch import Tensor

from seq2seq_attn.nn import losses
from seq2seq_attn.nn.losses import output_loss

TOKENS, FEATURES, VOCABULARY = 7, 5, 11
PIECES = [1, VOCABULARY, 3 * VOCABULARY, 3 * VOCABULARY + 1, 10**6]  # one row, one row, three, three, all at once
SMOOTHINGS = [0.0, 0.1, 1.0]


def inputs_of() -> tuple[Tensor, Tensor, Tensor]:
    features, weight, bias = normal(TOKENS, FEATURES), normal(VOCABULARY, FEATURES, seed=2), normal(VOCABULARY, seed=3)
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


TARGETS = torch.randint(VOCABULARY, (TOKENS,), generator=torch.Generator().manual_seed(4))


@pytest.fixture(params=PIECES)
def chunk(request, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_value_and_gradients_are_those_of_torch(smoothing):
    features, weight, bias = inputs_of()
    logits = features @ weight.T + bias
    wanted = F.cross_entropy(logits, TARGETS, label_smoothing=smoothing, reduction="sum")
    found = output_loss(features, weight, bias, TARGETS, smoothing=smoothing)
    assert_same(found.smoothed, wanted)
    assert_same(found.negative_log_likelihood, F.cross_entropy(logits, TARGETS, reduction="sum"))
    # divided as training does, so that the gradient that comes in is not 1
    for ours, theirs in zip(
        torch.autograd.grad(found.smoothed / 3, (features, weight, bias)),
        torch.autograd.grad(wanted / 3, (features, weight, bias)),
        strict=True,
    ):
        assert_same(ours, theirs)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_value_is_that_of_the_equation(smoothing):
    features, weight, bias = inputs_of()
    found = output_loss(features, weight, bias, TARGETS, smoothing=smoothing)
    rows = [
        references.log_softmax(references.plus(references.times(weight.tolist(), row), bias.tolist()))
        for row in features.tolist()
    ]
    pairs = list(zip(rows, TARGETS.tolist(), strict=True))
    assert_same(found.smoothed, sum(references.smoothed_loss(row, target, smoothing) for row, target in pairs))
    assert_same(found.negative_log_likelihood, -sum(row[target] for row, target in pairs))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_gradients_are_those_of_finite_differences(smoothing):
    def smoothed(*inputs: Tensor) -> Tensor:
        return output_loss(*inputs, TARGETS, smoothing=smoothing).smoothed

    assert torch.autograd.gradcheck(smoothed, inputs_of())


def test_without_smoothing_both_numbers_are_one():
    found = output_loss(*inputs_of(), TARGETS)
    assert_same(found.smoothed, found.negative_log_likelihood.item())


def test_only_the_smoothed_loss_has_a_gradient():
    found = output_loss(*inputs_of(), TARGETS, smoothing=0.1)
    assert found.smoothed.requires_grad
    assert not found.negative_log_likelihood.requires_grad


def test_nothing_is_built_for_gradients_nobody_asks_for():
    with torch.no_grad():
        found = output_loss(*inputs_of(), TARGETS, smoothing=0.1)
    assert not found.smoothed.requires_grad
    features, weight, bias = (part.detach() for part in inputs_of())
    (gradient,) = torch.autograd.grad(output_loss(features, weight, bias.requires_grad_(), TARGETS).smoothed, bias)
    logits = features @ weight.T + bias
    (wanted,) = torch.autograd.grad(F.cross_entropy(logits, TARGETS, reduction="sum"), bias)
    assert_same(gradient, wanted)


def test_a_batch_in_two_halves_is_the_batch():
    features, weight, bias = inputs_of()
    whole = output_loss(features, weight, bias, TARGETS, smoothing=0.1).smoothed
    halves = [
        output_loss(features[part], weight, bias, TARGETS[part], smoothing=0.1) for part in (slice(2), slice(2, 7))
    ]
    assert_same(halves[0].smoothed + halves[1].smoothed, whole.detach())


def test_large_logits_do_not_overflow():
    features = torch.full((1, 1), 1000.0, dtype=torch.float64).requires_grad_()
    weight = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    found = output_loss(features, weight, torch.zeros(2, dtype=torch.float64), torch.tensor([1]))
    assert_same(found.smoothed, 2000.0)
    found.smoothed.backward()
    assert_same(features.grad, [[2.0]])


@pytest.mark.usefixtures("chunk")
def test_bfloat16_sums_in_single_precision():
    """Sums over thousands of tokens in bfloat16 would stop growing at 256."""
    features, weight, bias = (part.detach().float().requires_grad_() for part in inputs_of())
    exact = output_loss(features, weight, bias, TARGETS, smoothing=0.1).smoothed
    with torch.autocast("cpu", torch.bfloat16):
        found = output_loss(features, weight, bias, TARGETS, smoothing=0.1).smoothed
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0.01, atol=0.0)
    for low, high in zip(
        torch.autograd.grad(found, (features, weight, bias)),
        torch.autograd.grad(exact, (features, weight, bias)),
        strict=True,
    ):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low, high, rtol=0, atol=0.03 * high.abs().max().item())


@pytest.fixture
def dirty_memory():
    """New memory holds NaN, as it may by accident."""
    torch.use_deterministic_algorithms(True)
    assert bool(torch.empty(3).isnan().all())
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("dirty_memory")
@pytest.mark.parametrize("chunk", [64 * VOCABULARY, 130 * VOCABULARY, 10**6])
@pytest.mark.parametrize("tokens", [63, 64, 65, 130, 192])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_fill_a_product_up_count_for_nothing(tokens, chunk, dtype, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK", chunk)
    exact = [normal(tokens, FEATURES), normal(VOCABULARY, FEATURES, seed=2), normal(VOCABULARY, seed=3)]
    inputs = [part.to(dtype).requires_grad_() for part in exact]
    targets = torch.randint(VOCABULARY, (tokens,), generator=torch.Generator().manual_seed(4))
    found = output_loss(*inputs, targets, smoothing=0.1)
    same = [part.detach().double().requires_grad_() for part in inputs]
    wanted = F.cross_entropy(F.linear(*same), targets, label_smoothing=0.1, reduction="sum")
    near = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found.smoothed.double(), wanted, rtol=near, atol=near)
    for ours, theirs in zip(
        torch.autograd.grad(found.smoothed, inputs), torch.autograd.grad(wanted, same), strict=True
    ):
        torch.testing.assert_close(ours.double(), theirs, rtol=near, atol=near * float(theirs.abs().max()))
