"""The arithmetic of one optimizer step."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from objective_cases import RNN

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.updater import StepResult, Updater

SOURCES, TARGETS = 17, 19
CPU = torch.device("cpu")


def tiny_model(**changes: object) -> Seq2Seq:
    torch.manual_seed(5)
    config = ModelConfig.model_validate({**RNN, "dropout": 0.0, **changes})
    return build_model(config, source_vocabulary=SOURCES, target_vocabulary=TARGETS, padding=0).double()


def pairs(count: int, *, seed: int = 11) -> list[tuple[list[int], list[int]]]:
    """Sentences of very unequal lengths."""
    chance = random.Random(seed)

    def sentence(vocabulary: int) -> list[int]:
        return [chance.randrange(4, vocabulary) for _ in range(chance.randint(1, 13))]

    return [(sentence(SOURCES), sentence(TARGETS)) for _ in range(count)]


def batch_of(some: list[tuple[list[int], list[int]]]) -> Batch:
    return collate([source for source, _ in some], [target for _, target in some], list(range(len(some))))


def step(model: Seq2Seq, batches: list[Batch], *, clip: float | None = None) -> tuple[torch.Tensor, StepResult]:
    """Make a step of plain gradient descent at rate 1; return the gradient it followed."""
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=99.0),
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.1),
        clip_norm=clip,
    )
    result = updater.update(batches, 1.0)
    with torch.no_grad():
        return before - torch.nn.utils.parameters_to_vector(model.parameters()), result


@pytest.mark.parametrize("attention", ["luong-general", "bahdanau"])
def test_one_batch_of_32_is_two_of_16_accumulated(attention: str) -> None:
    """Standing for: the mean over batches of their means, which weighs short batches' tokens more."""
    some = sorted(pairs(32), key=lambda pair: len(pair[1]))
    whole, once = step(tiny_model(attention=attention), [batch_of(some)])
    halves = [batch_of(some[:16]), batch_of(some[16:])]
    assert halves[0].target_tokens * 1.9 < halves[1].target_tokens, "only unequal halves show anything"
    parts, twice = step(tiny_model(attention=attention), halves)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-13)
    assert whole.abs().max() > 1e-3
    assert once.tokens == twice.tokens == sum(len(target) + 1 for _, target in some)
    assert float(once.likelihood) == pytest.approx(float(twice.likelihood), rel=1e-6)


def test_the_gradient_is_that_of_torchs_own_loss() -> None:
    model = tiny_model()
    batch = batch_of(pairs(7))
    reference = copy.deepcopy(model)
    forced = reference(batch.source, batch.source_lengths, batch.target_in)
    logits = reference.output(forced.features)
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=0, label_smoothing=0.1
    )
    loss.backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in reference.parameters()])  # type: ignore[union-attr]
    gradient, result = step(model, [batch])
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)
    likelihood = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=0, reduction="sum"
    )
    assert float(result.likelihood) == pytest.approx(likelihood.item(), rel=1e-6)


def test_clipping_keeps_the_direction_and_tells_the_norm_before() -> None:
    batch = batch_of(pairs(7))
    free, unclipped = step(tiny_model(), [batch])
    assert float(unclipped.gradient_norm) == pytest.approx(float(free.norm()), rel=1e-12)
    clipped, result = step(tiny_model(), [batch], clip=0.01)
    assert float(result.gradient_norm) == pytest.approx(float(free.norm()), rel=1e-12)
    assert float(clipped.norm()) == pytest.approx(0.01, rel=1e-3)
    assert float(torch.dot(free, clipped) / free.norm() / clipped.norm()) == pytest.approx(1.0, abs=1e-12)
    small, _ = step(tiny_model(), [batch], clip=1e6)
    torch.testing.assert_close(small, free, rtol=0, atol=0)


def test_gradients_do_not_pile_up_from_step_to_step() -> None:
    model = tiny_model()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.0),
        clip_norm=None,
    )
    batch = batch_of(pairs(5))
    first, second = (float(updater.update([batch], 0.0).gradient_norm) for _ in range(2))
    assert first == second


def test_a_batch_overfits_to_nothing() -> None:
    """Standing for: any break between loss, gradient and parameters; memorizing three sentences is easy."""
    model = tiny_model(encoder={"hidden_size": 13}, decoder={"hidden_size": 23}).float()
    updater = Updater(
        model,
        torch.optim.Adam(model.parameters()),
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.0),
        clip_norm=1.0,
    )
    batch = batch_of(pairs(3))
    for _ in range(50):
        updater.update([batch], 0.03)
    with torch.no_grad():
        assert float(batch_loss(model.eval(), batch).negative_log_likelihood) / batch.target_tokens < 0.05


def test_float16_needs_no_loss_of_its_own_to_take_the_gradients_of_others() -> None:
    """Standing for: a process whose share of the first batch is empty, which ends all with an assertion."""
    model = tiny_model()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        device=torch.device("cpu"),
        precision=Precision(torch.float16, "for the test"),
        objective=LikelihoodObjective(0.0),
        clip_norm=None,
    )
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    updater.scaler.unscale_(updater.optimizer)
    scale = updater.scaler.get_scale()
    assert scale > 1
    assert all(torch.allclose(one.grad, torch.full_like(one, 1 / scale)) for one in model.parameters())
