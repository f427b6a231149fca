"""Losses on attention weights, against the pencil and loops over single numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.updater import StepResult, Updater
from seq2seq_attn.training.weight_losses import (
    FLOOR,
    WeightLosses,
    coverage_loss,
    guided_alignment_loss,
)

BATCH, TARGET_LEN, SOURCE_LEN = 3, 5, 7
LENGTHS = [5, 2, 3]  # of the targets
KINDS = ("cross_entropy", "mse")


def some_weights(seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(BATCH, TARGET_LEN, SOURCE_LEN, dtype=torch.float64, generator=generator).softmax(-1)


def some_gold(seed: int = 5) -> Tensor:
    """Rows with one, two or three links, and rows without."""
    generator = torch.Generator().manual_seed(seed)
    links = torch.rand(BATCH, TARGET_LEN, SOURCE_LEN, dtype=torch.float64, generator=generator) < 0.3
    links[0, 1] = False
    for row, length in enumerate(LENGTHS):
        links[row, length:] = False
    return links / links.sum(-1, keepdim=True).clamp(min=1)


def some_mask() -> Tensor:
    return torch.arange(TARGET_LEN) < torch.tensor(LENGTHS).unsqueeze(1)


def guided_in_plain_python(weights: Tensor, gold: Tensor, kind: str) -> float:
    terms = []
    for rows, golds in zip(weights.tolist(), gold.tolist(), strict=True):
        for row, right in zip(rows, golds, strict=True):
            if not any(right):
                continue
            for weight, share in zip(row, right, strict=True):
                if kind == "mse":
                    terms.append((share - weight) ** 2)
                elif share:
                    terms.append(-share * math.log(max(weight, FLOOR)))
    return math.fsum(terms)


def coverage_in_plain_python(weights: Tensor, lengths: list[int]) -> float:
    terms = []
    for rows, length in zip(weights.tolist(), lengths, strict=True):
        for step in range(length):
            for source in range(SOURCE_LEN):
                covered = math.fsum(rows[before][source] for before in range(step))
                terms.append(min(rows[step][source], covered))
    return math.fsum(terms)


def test_cross_entropy_by_hand() -> None:
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]])
    gold = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]])
    found = guided_alignment_loss(weights, gold, "cross_entropy")
    assert float(found) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))


def test_mse_by_hand() -> None:
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]])
    gold = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]])
    assert float(guided_alignment_loss(weights, gold, "mse")) == pytest.approx(2 * 0.25**2)


def test_coverage_by_hand() -> None:
    """Looking at the same place three times costs 1 for each repetition, at another place nothing."""
    same = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    assert float(coverage_loss(same, torch.ones(1, 3, dtype=torch.bool))) == 2.0
    weights = torch.tensor([[[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]])
    # step 2: min(.5, .75) + min(.5, .25); step 3: 0 + min(1, .75)
    assert float(coverage_loss(weights, torch.ones(1, 3, dtype=torch.bool))) == 0.5 + 0.25 + 0.75
    apart = torch.eye(3).unsqueeze(0)
    assert float(coverage_loss(apart, torch.ones(1, 3, dtype=torch.bool))) == 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_guided_as_loops_say(kind, seed: int) -> None:
    weights, gold = some_weights(seed), some_gold(seed + 100)
    expected = guided_in_plain_python(weights, gold, kind)
    assert expected > 0
    assert float(guided_alignment_loss(weights, gold, kind)) == pytest.approx(expected, abs=1e-12, rel=0)


@pytest.mark.parametrize("seed", range(5))
def test_coverage_as_loops_say(seed: int) -> None:
    weights = some_weights(seed)
    expected = coverage_in_plain_python(weights, LENGTHS)
    assert float(coverage_loss(weights, some_mask())) == pytest.approx(expected, abs=1e-12, rel=0)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_guided(kind) -> None:
    weights = some_weights().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: guided_alignment_loss(w, some_gold(), kind), weights)


def test_gradients_of_coverage() -> None:
    weights = some_weights().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: coverage_loss(w, some_mask()), weights)


@pytest.mark.parametrize("garbage", [1e6, float("nan"), float("inf")])
@pytest.mark.parametrize("loss", [*KINDS, "coverage"])
def test_rows_of_padding_count_for_nothing(loss, garbage: float) -> None:
    """Standing for: 0 * NaN, in the loss or in its gradient."""

    def value(weights: Tensor) -> Tensor:
        if loss == "coverage":
            return coverage_loss(weights, some_mask())
        return guided_alignment_loss(weights, some_gold(), loss)

    clean = some_weights().requires_grad_()
    value(clean).backward()
    dirty = some_weights().masked_fill(~some_mask().unsqueeze(-1), garbage).requires_grad_()
    value(dirty).backward()
    assert torch.equal(value(clean), value(dirty))
    assert torch.equal(clean.grad, dirty.grad)
    assert not dirty.grad[~some_mask()].any()


def test_columns_of_padding_count_for_nothing() -> None:
    weights, gold = some_weights(), some_gold()
    wide = [torch.nn.functional.pad(part, (0, 2)) for part in (weights, gold)]
    assert torch.equal(coverage_loss(weights, some_mask()), coverage_loss(wide[0], some_mask()))
    for kind in KINDS:
        one, two = guided_alignment_loss(weights, gold, kind), guided_alignment_loss(*wide, kind)
        assert float(one) == pytest.approx(float(two), rel=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_exactly_zero_is_finite(kind) -> None:
    """Sparsemax gives such weights, to words that are linked, too."""
    weights = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]], requires_grad=True)
    gold = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    found = guided_alignment_loss(weights, gold, kind)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(weights.grad).all()
    if kind == "cross_entropy":
        assert float(found.detach()) == pytest.approx(-1.5 * math.log(FLOOR))


def test_low_precision_is_summed_in_float32() -> None:
    weights = some_weights().bfloat16()
    assert coverage_loss(weights, some_mask()).dtype == torch.float32
    assert guided_alignment_loss(weights, some_gold().float(), "cross_entropy").dtype == torch.float32


def model_and_batches(**changes: object) -> tuple[Seq2Seq, list[Batch]]:
    torch.manual_seed(5)
    tree = {
        "embedding_size": 5,
        "dropout": 0.0,
        "encoder": {"hidden_size": 3},
        "decoder": {"hidden_size": 7},
        **changes,
    }
    config = ModelConfig.model_validate(tree)
    model = build_model(config, source_vocabulary=17, target_vocabulary=19, padding=0).double()
    batches = []
    for sources, targets in (([[4, 5, 6], [7]], [[8, 9], [10, 11, 12, 13]]), ([[5, 5]], [[9, 9, 9]])):
        longest = max(map(len, targets)) + 1, max(map(len, sources)) + 1
        gold = torch.zeros(len(sources), *longest)
        gold[:, 0, 0] = 1.0
        gold[0, 1, :2] = 0.5
        batches.append(collate(sources, targets, range(len(sources)), alignment=gold.numpy()))
    return model, batches


def step(model: Seq2Seq, batches: list[Batch], losses: WeightLosses | None) -> tuple[Tensor, StepResult]:
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=99.0),
        device=torch.device("cpu"),
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.1, losses),
        clip_norm=None,
    )
    result = updater.update(batches, 1.0)
    with torch.no_grad():
        return before - torch.nn.utils.parameters_to_vector(model.parameters()), result


@pytest.mark.parametrize("attention", ["luong-general", "bahdanau"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_follows_the_sum_of_all_losses_per_target_token(attention: str, kind) -> None:
    model, batches = model_and_batches(attention=attention)
    total = torch.zeros((), dtype=torch.float64)
    coverage = guided = 0.0
    for batch in batches:
        forced = model(batch.source, batch.source_lengths, batch.target_in)
        covered = coverage_loss(forced.weights, batch.target_mask)
        compared = guided_alignment_loss(forced.weights, batch.alignment, kind)
        total = total + batch_loss(model, batch, smoothing=0.1).smoothed + 0.3 * covered + 1.7 * compared
        coverage, guided = coverage + covered.item(), guided + compared.item()
    tokens = sum(batch.target_tokens for batch in batches)
    total.div(tokens).backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    model, batches = model_and_batches(attention=attention)
    gradient, result = step(model, batches, WeightLosses(coverage=0.3, guided=1.7, kind=kind))
    assert torch.allclose(gradient, expected, rtol=0, atol=1e-12)
    assert float(result.parts["coverage_loss"]) == pytest.approx(coverage)
    assert float(result.parts["guided_alignment_loss"]) == pytest.approx(guided)


def test_likelihood_stays_pure() -> None:
    model, batches = model_and_batches()
    _, plain = step(model, batches, None)
    model, batches = model_and_batches()
    _, more = step(model, batches, WeightLosses(coverage=0.3, guided=1.7))
    assert torch.equal(plain.likelihood, more.likelihood)
    assert not plain.parts


def test_a_factor_of_zero_is_no_loss() -> None:
    model, batches = model_and_batches()
    plain, _ = step(model, batches, None)
    model, batches = model_and_batches()
    zero, result = step(model, batches, WeightLosses(coverage=0.0, guided=0.0))
    assert torch.equal(plain, zero)
    assert not result.parts


def test_learning_from_alignments_that_no_batch_has_is_an_error() -> None:
    model, _ = model_and_batches()
    with pytest.raises(ValueError, match="made with alignments"):
        step(model, [collate([[4]], [[5]], [0])], WeightLosses(guided=1.0))
