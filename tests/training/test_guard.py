"""Steps that are not finite: left out, counted, told of; a training that has nothing else ends."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import torch

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.errors import TrainingError
from seq2seq_attn.models.base import Forced, Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.guard import MOST_WAITING, BadSteps, Diverged, StepGuard
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.logging import Record, Screen
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.optimizers import OptimizerKind, build_optimizer
from seq2seq_attn.training.schedules import Schedule
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.trainer import Scores, Settings, Trainer
from seq2seq_attn.training.updater import StepResult, Updater

VOCABULARY, POISON = 17, 16
"""A source that begins with the token POISON has a loss, or a gradient, that is not finite."""

CPU = torch.device("cpu")
How = Literal["loss", "gradient"]


def poisoned_model(how: How = "loss") -> Seq2Seq:
    torch.manual_seed(5)
    tree = {"embedding_size": 5, "dropout": 0.0, "encoder": {"hidden_size": 3}, "decoder": {"hidden_size": 7}}
    model = build_model(ModelConfig.model_validate(tree), source_vocabulary=17, target_vocabulary=19, padding=0)

    def spoil(_: object, arguments: tuple[Any, ...], forced: Forced) -> Forced:
        poisoned = bool((arguments[0][:, 0] == POISON).any())
        if poisoned and how == "loss":
            return forced._replace(features=forced.features * float("nan"))
        if poisoned and forced.features.requires_grad:
            forced.features.register_hook(lambda gradient: gradient * float("inf"))
        return forced

    model.register_forward_hook(spoil)
    return model


def updater_of(model: Seq2Seq, kind: OptimizerKind = "adam") -> Updater:
    return Updater(
        model,
        build_optimizer(model, kind=kind, learning_rate=0.1, weight_decay=0.01, momentum=0.9),
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.1),
        clip_norm=1.0,
    )


def batch_of(number: int, *, poisoned: bool = False) -> Batch:
    """Make the batch of sentences 3 * number, and the two after it."""
    chance = random.Random(number)
    sources = [[chance.randrange(4, POISON) for _ in range(chance.randint(1, 5))] for _ in range(3)]
    targets = [[chance.randrange(4, VOCABULARY) for _ in range(chance.randint(1, 5))] for _ in range(3)]
    if poisoned:
        sources[1][0] = POISON
    return collate(sources, targets, range(3 * number, 3 * number + 3))


def everything(updater: Updater) -> dict[str, Any]:
    """Copy parameters and optimizer; an optimizer that has not begun is one with zeros."""
    state = updater.optimizer.state_dict()["state"]
    moments = {(index, name): value for index, found in state.items() for name, value in found.items()}
    return copy.deepcopy({**updater.model.state_dict(), **{str(key): value for key, value in moments.items()}})


def assert_equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(torch.as_tensor(found[name]), torch.as_tensor(value)), name


@pytest.mark.parametrize("how", ["loss", "gradient"])
@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_bad_step_leaves_everything_as_it_was(kind: OptimizerKind, how: How) -> None:
    updater = updater_of(poisoned_model(how), kind)
    good = [updater.update([batch_of(number)], 0.1) for number in range(2)]
    before = everything(updater)
    bad = updater.update([batch_of(2), batch_of(3, poisoned=True)], 0.1)
    assert_equal(everything(updater), before)
    assert [bool(result.skipped) for result in (*good, bad)] == [False, False, True]
    assert float(bad.likelihood) == 0
    assert all(parameter.grad is None for parameter in updater.model.parameters())
    assert not bool(updater.update([batch_of(4)], 0.1).skipped)

    twin = updater_of(poisoned_model(how), kind)
    for number in (0, 1, 4):
        twin.update([batch_of(number)], 0.1)
    assert_equal(everything(updater), everything(twin))
    assert any(not torch.equal(before[name], value) for name, value in everything(twin).items() if name in before)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_bad_step_leaves_everything_as_it_was_on_a_gpu(kind: OptimizerKind) -> None:
    updater = updater_of(poisoned_model().cuda(), kind)
    updater.device = torch.device("cuda")
    updater.update([batch_of(0)], 0.1)
    before = everything(updater)
    bad = updater.update([batch_of(1, poisoned=True)], 0.1)
    assert_equal(everything(updater), before)
    assert bool(bad.skipped)
    assert not bool(updater.update([batch_of(2)], 0.1).skipped)


class Batches:
    """Ten a pass; of the ones named the loss is not finite."""

    def __init__(self, poisoned: set[int]) -> None:
        self.poisoned = poisoned

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number in range(start, 10):
            yield batch_of(number, poisoned=number in self.poisoned)

    def batches_per_epoch(self, epoch: int) -> int:
        return 10


class Log:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: Record) -> None:
        self.records.append(dict(record))

    def close(self) -> None:
        pass

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["kind"] == kind]


def trainer_of(poisoned: set[int], log: Log, *, rate: float = 0.1, kind: OptimizerKind = "adam") -> Trainer:
    trainer = Trainer(
        updater=updater_of(poisoned_model(), kind),
        schedule=Schedule(),
        batches=Batches(poisoned),
        settings=Settings(learning_rate=rate, limits=Limits(max_epochs=1), log_every=4, max_bad_steps=3),
        validate=lambda: {"bleu": 1.0, "loss": 1.0},
        save=lambda state, scores: saves.append((copy.deepcopy(state), scores)),
        sinks=[log, Screen()],
        interrupts=Interrupts(),
    )
    saves: list[tuple[TrainState, Scores | None]] = []
    log.saves = saves  # type: ignore[attr-defined]
    return trainer


def saves_of(log: Log) -> list[tuple[TrainState, Scores | None]]:
    return log.saves  # type: ignore[attr-defined,no-any-return]


def test_a_training_goes_on_over_bad_batches_as_if_they_were_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    bad = {2, 4, 5, 7}
    trainer = trainer_of(bad, log)
    trainer.fit()
    by_hand = updater_of(poisoned_model())
    results = {number: by_hand.update([batch_of(number)], 0.1) for number in range(10) if number not in bad}
    assert_equal(everything(trainer.updater), everything(by_hand))

    state = trainer.state
    assert (state.step, state.epoch, state.skipped_steps, state.skipped_in_a_row) == (10, 1, 4, 0)
    assert state.tokens == sum(result.tokens for result in results.values())
    # of steps 1 to 4 the third was skipped, of steps 5 to 8 the first, second and fourth
    lines = log.of("train")
    for line, learned in zip(lines, ([0, 1, 3], [6]), strict=True):
        tokens = sum(results[number].tokens for number in learned)
        assert line["loss"] == pytest.approx(sum(float(results[n].likelihood) for n in learned) / tokens, rel=1e-6)
    assert lines[0]["gradient_norm"] > 0
    assert lines[1]["gradient_norm"] is None, "of the eighth step, which was skipped"
    told = log.of("skipped")
    assert [(line["step"], line["in_a_row"], line["skipped_steps"]) for line in told] == [
        (3, 1, 1),
        (5, 1, 2),
        (6, 2, 3),
        (8, 1, 4),
    ]
    assert told[0]["sentences"] == [7, 8, 9], "counted from 1"
    err = capsys.readouterr().err
    assert err.count("was skipped") == 1, "once on the screen"
    assert "step 3 was skipped: its loss or gradient was not finite (sentence pairs 7, 8, 9 of" in err


def test_several_in_a_row_end_training_with_the_last_good_state_saved() -> None:
    log = Log()
    trainer = trainer_of({3, 4, 5, 6}, log)
    message = r"3 steps in a row were skipped.*the last: step 6, made from sentence pairs 16, 17, 18 of.*unchanged"
    with pytest.raises(BadSteps, match=message):
        trainer.fit()
    ((state, scores),) = saves_of(log)
    assert (state.step, state.batch, state.skipped_steps, scores) == (6, 6, 3, None)
    by_hand = updater_of(poisoned_model())
    for number in range(3):
        by_hand.update([batch_of(number)], 0.1)
    assert_equal(everything(trainer.updater), everything(by_hand))
    trainer.fit()  # who goes on has three more attempts, and only one of the next batches is bad
    assert trainer.state.skipped_steps == 4


def test_a_model_that_has_diverged_is_not_saved() -> None:
    """Standing for: parameters beyond all numbers as the newest checkpoint, though every step "was only skipped"."""
    log = Log()
    trainer = trainer_of(set(), log, rate=float("inf"), kind="sgd")
    with pytest.raises(TrainingError, match="training diverged: the loss is not finite any more") as caught:
        trainer.fit()
    assert not isinstance(caught.value, BadSteps)
    assert saves_of(log) == []
    assert trainer.state.skipped_steps == 3


def test_a_training_that_never_made_a_step_saves_nothing() -> None:
    log = Log()
    with pytest.raises(TrainingError, match="training diverged"):
        trainer_of({0, 1, 2}, log).fit()
    assert saves_of(log) == []


def test_what_goes_on_into_bad_batches_is_not_called_diverged() -> None:
    """Standing for: a run that was saved for its sound model, and refused as diverged at the next start."""
    for numbers, error in ((1.0, BadSteps), (float("nan"), Diverged)):
        log = Log()
        trainer = trainer_of({3, 4, 5, 6, 7, 8}, log)
        with pytest.raises(BadSteps):
            trainer.fit()
        again = trainer_of({3, 4, 5, 6, 7, 8}, log)
        again.state = trainer.state
        with torch.no_grad():
            next(again.updater.model.parameters()).fill_(numbers)
        with pytest.raises(error, match="the last: step 9"):
            again.fit()


def test_on_a_gpu_batches_do_not_pile_up() -> None:
    log, state = Log(), TrainState()
    guard = StepGuard(Elsewhere(sound=True), max_bad_steps=2, emit=log.write)
    for number in range(MOST_WAITING):
        assert log.records == []
        state.step += 1
        bad = torch.tensor(number == 0)
        guard.watch(state, [batch_of(0)], StepResult(torch.zeros(()), torch.ones(()), 5, {}, bad))
    assert [record["step"] for record in log.records] == [1]


class Elsewhere(Updater):
    """On a device that nobody should wait for."""

    def __init__(self, *, sound: bool) -> None:
        self.device = torch.device("cuda")
        self.sound = sound

    def loss_is_finite(self, batches: object) -> bool:
        return self.sound


def test_on_a_gpu_steps_wait_until_somebody_asks() -> None:
    log, state = Log(), TrainState()
    guard = StepGuard(Elsewhere(sound=True), max_bad_steps=2, emit=log.write)
    for number, is_bad in enumerate([False, True, False, True, True, False]):
        state.step += 1
        state.tokens += 5
        result = StepResult(torch.zeros(()), torch.ones(()), 5, {}, torch.tensor(is_bad))
        guard.watch(state, [batch_of(number)], result)
        guard.check(state)
    assert log.records == []
    assert state.skipped_steps == 0
    guard.settle(state)
    assert [record["step"] for record in log.records] == [2, 4, 5]
    assert (state.skipped_steps, state.skipped_in_a_row, state.tokens) == (3, 0, 15)
    with pytest.raises(BadSteps, match="the last: step 5, made from sentence pairs 13, 14, 15 of"):
        guard.check(state)
    guard.check(state)  # said once
