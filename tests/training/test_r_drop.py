"""R-drop against plain Python, plain autograd, and plain likelihood."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from objective_cases import MODELS, VOCABULARY, gradient_of, make_batch, make_model, padded, step
from torch import Tensor, nn

from seq2seq_attn.nn import losses
from seq2seq_attn.training.guard_memory import halves
from seq2seq_attn.training.objectives.base import R_DROP
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.r_drop import RDrop, agreement_loss, twice
from seq2seq_attn.training.objectives.tokens import Told
from seq2seq_attn.training.weight_losses import COVERAGE, GUIDED, WeightLosses

TOKENS, FEATURES = 7, 5
PIECES = [1, VOCABULARY, 3 * VOCABULARY, 10**6]
FACTOR = 0.7


@pytest.fixture(params=PIECES)
def chunk(request, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK", request.param)


def inputs() -> tuple[Tensor, nn.Linear, Tensor]:
    torch.manual_seed(3)
    features = torch.randn(2 * TOKENS, FEATURES, dtype=torch.float64, requires_grad=True)
    output = nn.Linear(FEATURES, VOCABULARY).double()
    targets = torch.randint(VOCABULARY, (TOKENS,))
    return features, output, torch.cat([targets, targets])


def in_plain_python(logits: list[list[float]], targets: list[int], smoothing: float) -> tuple[float, float, float]:
    """Return the total, the likelihood and the divergence of equations 2 to 4, halved where the docstring says."""

    def log_softmax(row: list[float]) -> list[float]:
        normalizer = math.log(math.fsum(math.exp(value) for value in row))
        return [value - normalizer for value in row]

    likelihood = smoothed = divergence = 0.0
    for token in range(TOKENS):
        one, two = log_softmax(logits[token]), log_softmax(logits[TOKENS + token])
        for row in (one, two):
            surprise = -row[targets[token]]
            likelihood += surprise / 2
            smoothed += ((1 - smoothing) * surprise - smoothing * math.fsum(row) / len(row)) / 2
        divergence += math.fsum(math.exp(p) * (p - q) for p, q in zip(one, two, strict=True)) / 2
        divergence += math.fsum(math.exp(q) * (q - p) for p, q in zip(one, two, strict=True)) / 2
    return smoothed + FACTOR / 2 * divergence, likelihood, divergence


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_numbers_are_those_of_the_equations(smoothing: float) -> None:
    features, output, targets = inputs()
    found = agreement_loss(output, Told(features, targets, None), factor=FACTOR, smoothing=smoothing)
    wanted = in_plain_python(output(features).tolist(), targets.tolist(), smoothing)
    assert [float(number.detach()) for number in found] == pytest.approx(wanted, rel=1e-13)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_are_those_of_autograd(smoothing: float) -> None:
    features, output, targets = inputs()
    one, two = output(features).log_softmax(-1).chunk(2)
    surprise = F.cross_entropy(output(features), targets, label_smoothing=smoothing, reduction="sum")
    divergence = F.kl_div(one, two, log_target=True, reduction="sum")
    divergence = divergence + F.kl_div(two, one, log_target=True, reduction="sum")
    total = (surprise + FACTOR / 2 * divergence) / 2
    found = agreement_loss(output, Told(features, targets, None), factor=FACTOR, smoothing=smoothing).total
    torch.testing.assert_close(found, total, rtol=1e-13, atol=0)
    leaves = (features, output.weight, output.bias)
    # not 1, as training divides by the number of tokens
    for ours, theirs in zip(
        torch.autograd.grad(found / 3, leaves), torch.autograd.grad(total / 3, leaves), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("name", MODELS)
def test_without_dropout_it_is_the_likelihood(name: str) -> None:
    """Both passes say the same: nothing diverges, and the mean of two equal losses is one of them."""
    model, batch = make_model(name), make_batch()
    plain = LikelihoodObjective(0.1)(model, batch, 0)
    found = RDrop(FACTOR, 0.1)(model, batch, 0)
    assert float(found.parts[R_DROP]) == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(found.total, plain.total, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.likelihood, plain.likelihood, rtol=1e-12, atol=0)
    wanted = gradient_of(model, plain.total)
    torch.testing.assert_close(gradient_of(model, found.total), wanted, rtol=0, atol=1e-11)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("name", ["luong", "copying", "transformer", "copying-transformer"])
def test_with_dropout_it_is_what_search_would_make_of_two_passes(name: str) -> None:
    """The distributions themselves, by plain autograd, from the same random numbers."""
    from seq2seq_attn.nn.pointer import mixed_log_probs

    model, batch = make_model(name, dropout=0.4), make_batch()
    torch.manual_seed(11)
    found = RDrop(FACTOR, 0.1)(model, batch, 0)
    ours = gradient_of(model, found.total)
    torch.manual_seed(11)
    both = twice(batch)
    forced = model(both.source, both.source_lengths, both.target_in)
    logits = model.output(forced.features)
    if forced.generate is None:
        logs = logits.log_softmax(-1)
    else:
        logs = mixed_log_probs(logits, forced.generate, forced.weights, both.source)
    one, two = logs.chunk(2)
    tokens = batch.target_mask
    divergence = ((one.exp() - two.exp()) * (one - two)).sum(-1)[tokens].sum() / 2
    surprise = F.nll_loss(logs[both.target_mask], both.target_out[both.target_mask], reduction="sum") / 2
    spread = -logs.mean(-1)[both.target_mask].sum() / 2
    total = 0.9 * surprise + 0.1 * spread + FACTOR / 2 * divergence
    assert float(divergence.detach()) > 0.01
    torch.testing.assert_close(found.parts[R_DROP], divergence.detach(), rtol=1e-10, atol=0)
    torch.testing.assert_close(found.likelihood, surprise.detach(), rtol=1e-10, atol=0)
    torch.testing.assert_close(found.total, total, rtol=1e-10, atol=0)
    torch.testing.assert_close(ours, gradient_of(model, total), rtol=0, atol=1e-10)


def test_losses_on_weights_are_means_of_both() -> None:
    model, batch = make_model("luong"), make_batch()
    weights = WeightLosses(coverage=0.3, guided=1.7)
    plain = LikelihoodObjective(0.1, weights)(model, batch, 0)
    objective = RDrop(FACTOR, 0.1, weights)
    found = objective(model, batch, 0)
    assert objective.parts == tuple(found.parts) == (COVERAGE, GUIDED, R_DROP)
    for name in (COVERAGE, GUIDED):
        torch.testing.assert_close(found.parts[name], plain.parts[name], rtol=1e-12, atol=0)
    torch.testing.assert_close(found.total, plain.total, rtol=1e-12, atol=0)


def test_padding_and_order_do_not_matter() -> None:
    model, batch = make_model("transformer"), make_batch()
    found = RDrop(FACTOR, 0.1)(model, batch, 0)
    wide = RDrop(FACTOR, 0.1)(model, padded(batch), 0)
    torch.testing.assert_close(found.total, wide.total, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["luong", "copying", "transformer"])
def test_bfloat16_is_near(name: str) -> None:
    model, batch = make_model(name, dtype=torch.float32), make_batch()
    exact, _ = step(model, [batch], RDrop(FACTOR, 0.1))
    model = make_model(name, dtype=torch.float32)
    low, result = step(model, [batch], RDrop(FACTOR, 0.1), dtype=torch.bfloat16)
    assert torch.isfinite(result.likelihood)
    assert torch.nn.functional.cosine_similarity(exact, low, dim=0) > 0.99


def test_halves_of_a_batch_are_the_batch() -> None:
    """Where memory runs out, and with ``accumulate``."""
    batch, objective = make_batch(), RDrop(FACTOR, 0.1, WeightLosses(coverage=0.3, guided=1.7))
    whole, result = step(make_model("gnmt"), [batch], objective)
    apart, results = step(make_model("gnmt"), [*halves(batch)], objective)
    torch.testing.assert_close(apart, whole, rtol=0, atol=1e-12)
    for name, value in result.parts.items():
        torch.testing.assert_close(results.parts[name], value, rtol=1e-6, atol=1e-6)
