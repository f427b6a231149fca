"""The loop alone, driven by stand-ins: what happens when, and what is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.errors import TrainingError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.interrupts import Interrupted, Interrupts
from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.logging import Record
from seq2seq_attn.training.ranks import RanksLost
from seq2seq_attn.training.schedules import Schedule
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.trainer import Scores, Settings, Trainer
from seq2seq_attn.training.updater import StepResult, Updater

BATCHES = 5  # per epoch
Events = list[tuple[str, Any]]


class FakeBatches:
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number in range(start, BATCHES):
            yield collate([[4]], [[4]], [100 * epoch + number])

    def batches_per_epoch(self, epoch: int) -> int:
        return BATCHES


class FakeUpdater(Updater):
    """Writes down what it is asked to learn from."""

    def __init__(self, events: Events, loss: float) -> None:
        self.events = events
        self.loss = loss
        self.model = cast(Seq2Seq, torch.nn.Linear(1, 1))
        self.device = torch.device("cpu")

    def update(self, batches: Sequence[Batch], learning_rate: float, step: int = 0) -> StepResult:
        self.events.append(("step", [int(batch.indices[0]) for batch in batches]))
        self.events.append(("rate", learning_rate))
        return StepResult(torch.tensor(self.loss * 2), torch.tensor(0.5), 2 * len(batches))


class Sink:
    def __init__(self, events: Events) -> None:
        self.events = events

    def write(self, record: Record) -> None:
        self.events.append((str(record["kind"]), dict(record)))

    def close(self) -> None:
        pass


def make(
    scores: Callable[[int], float] = float,
    *,
    events: Events,
    loss: float = 1.0,
    schedule: Schedule | None = None,
    interrupts: Interrupts | None = None,
    **settings: Any,
) -> Trainer:
    """Make a trainer whose n-th validation gives ``scores(n)``."""
    given = iter(range(10**6))

    def validate() -> Scores:
        value = scores(next(given))
        return {"loss": value, "bleu": value}

    def save(state: TrainState, found: Scores | None) -> None:
        events.append(("save", (replace(state), found)))

    return Trainer(
        updater=FakeUpdater(events, loss),
        schedule=schedule or Schedule(),
        batches=FakeBatches(),
        settings=Settings(learning_rate=0.1, **settings),
        validate=validate,
        save=save,
        sinks=[Sink(events)],
        interrupts=interrupts or Interrupts(),
    )


def of(events: Events, kind: str) -> list[Any]:
    return [what for name, what in events if name == kind]


def test_an_epoch_is_every_batch_once_and_a_validation_ends_it() -> None:
    events: Events = []
    assert make(events=events, limits=Limits(max_epochs=2)).fit() == "max_epochs (2)"
    names = [name for name, _ in events if name != "rate"]
    assert names == (["step"] * 5 + ["validation", "save"]) * 2
    assert of(events, "step") == [[number] for number in (0, 1, 2, 3, 4, 100, 101, 102, 103, 104)]


def test_accumulation_never_reaches_over_the_end_of_an_epoch() -> None:
    events: Events = []
    make(events=events, limits=Limits(max_epochs=2), accumulate=2).fit()
    assert of(events, "step") == [[0, 1], [2, 3], [4], [100, 101], [102, 103], [104]]


@pytest.mark.parametrize(
    ("limits", "validated"),
    [
        # epochs have 5 steps
        (Limits(max_epochs=3, min_steps=40), [15, 30, 40]),
        (Limits(max_epochs=4, min_steps=40), [10, 20, 30, 40]),
        (Limits(max_epochs=4, min_steps=43), [15, 30, 43]),
        (Limits(max_epochs=3, min_steps=15), [5, 10, 15]),
        (Limits(max_epochs=3, min_steps=8), [5, 10, 15]),
        (Limits(max_epochs=3, min_steps=400, max_steps=30), [10, 20, 30]),
        (Limits(max_steps=15, min_steps=400), [5, 10, 15]),
    ],
)
def test_short_epochs_that_are_many_have_as_many_validations_as_few_long_ones(
    limits: Limits, validated: list[int]
) -> None:
    events: Events = []
    make(events=events, limits=limits).fit()
    assert [record["step"] for record in of(events, "validation")] == validated


@pytest.mark.parametrize(("steps", "validated"), [(7, [3, 6, 7]), (6, [3, 6])])
def test_validation_every_few_steps_and_once_at_the_very_end(steps: int, validated: list[int]) -> None:
    events: Events = []
    make(events=events, limits=Limits(max_steps=steps), validate_every=3).fit()
    assert [record["step"] for record in of(events, "validation")] == validated
    assert [state.step for state, _ in of(events, "save")] == validated


@pytest.mark.parametrize(("higher", "scores"), [(True, (3, 5, 4, 5, 6, 1, 1, 1)), (False, (6, 4, 5, 4, 3, 8, 8, 8))])
def test_patience_counts_validations_without_progress_in_a_row(higher: bool, scores: tuple[int, ...]) -> None:
    """An equal score is no progress; progress starts the count again."""
    events: Events = []
    trainer = make(
        lambda number: float(scores[number]),
        events=events,
        limits=Limits(max_epochs=30),
        patience=3,
        higher_is_better=higher,
    )
    assert trainer.fit() == "no progress in bleu over 3 validations"
    assert len(of(events, "validation")) == 8
    assert trainer.state.best == scores[4]


def test_the_metric_asked_for_decides() -> None:
    events: Events = []
    trainer = make(events=events, limits=Limits(max_epochs=4), patience=2, metric="loss", higher_is_better=False)
    assert trainer.fit() == "no progress in loss over 2 validations"
    assert trainer.state.best == 0.0


def test_without_patience_nothing_but_a_limit_ends_it() -> None:
    events: Events = []
    assert make(lambda _: 0.0, events=events, limits=Limits(max_epochs=9)).fit() == "max_epochs (9)"


def test_max_minutes_ends_between_two_steps() -> None:
    events: Events = []
    assert make(events=events, limits=Limits(max_minutes=1e-9)).fit() == "max_minutes (1e-09)"
    assert len(of(events, "validation")) == 1


def test_rates_follow_the_schedule() -> None:
    events: Events = []
    make(events=events, schedule=Schedule("luong", halve_after_epochs=1), limits=Limits(max_epochs=3)).fit()
    assert of(events, "rate") == pytest.approx([0.1] * 5 + [0.05] * 5 + [0.025] * 5)
    events.clear()
    plateau = Schedule("plateau", patience=0)
    make(lambda _: 0.0, events=events, schedule=plateau, limits=Limits(max_epochs=3)).fit()
    assert of(events, "rate") == pytest.approx([0.1] * 10 + [0.05] * 5)


def test_log_lines_hold_the_means_since_the_last_one() -> None:
    events: Events = []
    make(events=events, limits=Limits(max_steps=7), log_every=3, accumulate=2, loss=0.25).fit()
    lines = of(events, "train")
    assert [line["step"] for line in lines] == [3, 6]
    # an epoch is 2 + 2 + 1 batches of 2 tokens; each step brings a likelihood of 0.5
    assert [line["tokens"] for line in lines] == [10, 20]
    assert [line["loss"] for line in lines] == pytest.approx([1.5 / 10, 1.5 / 10])
    assert lines[0]["perplexity"] == pytest.approx(2.718281828459045**0.15)
    assert lines[0]["gradient_norm"] == 0.5
    assert set(lines[0]) >= {"learning_rate", "tokens_per_second", "seconds", "minutes_left", "epoch"}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training_and_is_not_saved(loss: float) -> None:
    """Standing for: a diverged model as the newest checkpoint, from which --resume can never recover."""
    events: Events = []
    with pytest.raises(TrainingError, match=r"diverged: the loss is (nan|inf) at step 2; lower training.optimizer"):
        make(events=events, limits=Limits(max_epochs=9), log_every=2, loss=loss).fit()
    assert not of(events, "save")
    with pytest.raises(TrainingError, match="diverged"):
        make(lambda _: loss, events=events, limits=Limits(max_epochs=9)).fit()
    assert not of(events, "save")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_training_after_the_step_and_saves(number: signal.Signals) -> None:
    events: Events = []
    with Interrupts() as interrupts:
        trainer = make(events=events, limits=Limits(max_epochs=9), interrupts=interrupts)
        original = trainer.updater.update

        def update(batches: Sequence[Batch], learning_rate: float, step: int = 0) -> StepResult:
            if trainer.state.step == 6:
                os.kill(os.getpid(), number)
            return original(batches, learning_rate, step)

        trainer.updater.update = update  # type: ignore[method-assign]
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
            trainer.fit()
    assert caught.value.exit_status == 128 + number
    state, scores = of(events, "save")[-1]
    assert (state.step, state.epoch, state.batch, scores) == (7, 1, 2, None)


@pytest.mark.parametrize("validate_every", ["epoch", 7], ids=["the last of all", "one on the way"])
def test_a_signal_during_a_validation_saves_too(validate_every: str | int) -> None:
    """Standing for: the validation behind the loop, whose interruption once lost the work since the last save."""
    events: Events = []
    interrupts = Interrupts()

    def validate(_: int) -> float:
        interrupts._request(signal.SIGTERM, None)
        interrupts.check()
        raise AssertionError("unreachable")

    with interrupts:
        trainer = make(
            validate, events=events, limits=Limits(max_steps=7 if validate_every == 7 else 3), interrupts=interrupts
        )
        with pytest.raises(Interrupted):
            trainer.fit()
    state, scores = of(events, "save")[-1]
    assert scores is None
    assert state.validated_step == -1, "a resumed run must validate again"
    assert state.step == (3 if validate_every == "epoch" else 5)


def test_a_second_signal_acts_as_it_would_without_us() -> None:
    """Standing for: a training that hangs while it saves and can only be killed."""
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            interrupts.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_has_lost_the_others_is_not_silenced_by_who_started_them() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert before is signal.SIG_DFL  # which would end the tests
    with pytest.raises(RanksLost), Interrupts():
        raise RanksLost("another process has ended")
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before  # for a second one
    signal.signal(signal.SIGINT, signal.default_int_handler)
