"""The training loop."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.training.guard import BadSteps, Diverged, StepGuard
from seq2seq_attn.training.guard_memory import NoMemory
from seq2seq_attn.training.interrupts import Interrupted, Interrupts
from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.logging import Screen, Sink
from seq2seq_attn.training.schedules import Schedule
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.updater import Updater

Scores = Mapping[str, float]

SAVED_FIRST = (Interrupted, BadSteps, NoMemory)
"""What ends a training whose state is sound; it has been saved when they are raised."""


@runtime_checkable
class Batches(Protocol):
    """Where batches come from; the order of an epoch is a function of its number alone."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch from number ``start`` on."""

    def batches_per_epoch(self, epoch: int) -> int:
        """Return how many there are."""


@dataclass(frozen=True)
class Settings:
    """The cadence of a training.

    Attributes:
        learning_rate: what the schedule's factor is multiplied with.
        limits: when to end.
        accumulate: batches per step.
        validate_every: a number of steps, or "epoch", which is several where ``limits`` finds one too short.
        patience: validations without progress before training ends; None for no limit.
        metric: the score that decides what is best.
        higher_is_better: whether more of it is better.
        log_every: steps between log lines.
        max_bad_steps: skipped steps in a row that end training.
    """

    learning_rate: float
    limits: Limits
    accumulate: int = 1
    validate_every: Literal["epoch"] | int = "epoch"
    patience: int | None = None
    metric: str = "bleu"
    higher_is_better: bool = True
    log_every: int = 50
    max_bad_steps: int = 5


class Trainer:
    """Trains until a limit is reached or nothing improves any more.

    Args:
        updater: makes the steps.
        schedule: of the learning rate.
        batches: what to learn from.
        settings: the cadence.
        validate: scores the model as it is; called in evaluation mode.
        save: keeps the model and this state; gets the scores when it was just validated.
        sinks: where the numbers go.
        interrupts: asked after every step whether to stop.
    """

    def __init__(
        self,
        *,
        updater: Updater,
        schedule: Schedule,
        batches: Batches,
        settings: Settings,
        validate: Callable[[], Scores],
        save: Callable[[TrainState, Scores | None], None],
        sinks: Sequence[Sink],
        interrupts: Interrupts,
    ) -> None:
        self.updater = updater
        self.schedule = schedule
        self.batches = batches
        self.settings = settings
        self.validate = validate
        self.save = save
        self.sinks = sinks
        self.interrupts = interrupts
        self.screen = next((sink for sink in sinks if isinstance(sink, Screen)), Screen(quiet=True))
        self.guard = StepGuard(updater, max_bad_steps=settings.max_bad_steps, emit=self._emit)
        self.state = TrainState()
        self._saved_step = 0
        self._stream: Iterator[Batch] | None = None
        self._window_loss = torch.zeros(())
        self._window_parts: dict[str, Tensor] = {}
        self._clock = time.perf_counter()
        self._window_start = (0.0, 0)

    def fit(self) -> str:
        """Train from ``self.state`` to the end; return why it ended.

        Raises:
            Interrupted: after a signal; everything has been saved.
            BadSteps: if several steps in a row could not be made; the state has been saved.
            NoMemory: if there is none for one sentence pair; the state has been saved.
            Diverged: if the loss is no number any more; nothing is saved.
        """
        self._saved_step = self.state.step
        self._clock = time.perf_counter()
        self._window_start = (self.state.seconds, self.state.window_tokens)
        self._window_loss = self._sum(self.state.window_loss)
        self._window_parts = {name: self._sum(value) for name, value in self.state.window_parts.items()}
        try:
            while True:
                if self._validation_due():
                    self._judge()
                reason = self._reason_to_end()
                if reason is not None:
                    break
                self._advance()
                self.guard.check(self.state)
                self.interrupts.check()
                self._agree_on_time()
            if self.state.validated_step != self.state.step:
                self._judge()
        except SAVED_FIRST:
            if self.state.step != self._saved_step:
                self._save(None)
            raise
        finally:
            self._stream = None
            self.screen.close()
        return reason

    def _sum(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=self.updater.device)

    def _reason_to_end(self) -> str | None:
        patience = self.settings.patience
        if patience is not None and self.state.bad_validations >= patience:
            return f"no progress in {self.settings.metric} over {patience} validations"
        return self.settings.limits.reached(self.state)

    def _advance(self) -> None:
        """Make one step and move the counters."""
        state = self.state
        total = self.batches.batches_per_epoch(state.epoch)
        if self._stream is None:
            self._stream = self.batches.epoch(state.epoch, state.batch)
            self.screen.start_epoch(state.epoch + 1, total=total, done=state.batch)
        group = list(itertools.islice(self._stream, self.settings.accumulate))
        share_done = self.settings.limits.share_done(state, total)
        rate = self.settings.learning_rate * self.schedule.rate_factor(state, share_done)
        result = self.updater.update(group, rate, state.step)
        self._window_loss += result.likelihood
        for name, value in result.parts.items():
            self._window_parts.setdefault(name, self._sum(0.0)).add_(value)
        state.window_tokens += result.tokens
        state.tokens += result.tokens
        state.step += 1
        state.batch += len(group)
        self.screen.advance(len(group))
        if state.batch >= total:
            state.epoch, state.batch, self._stream = state.epoch + 1, 0, None
        self.guard.watch(state, group, result)
        self._tick()
        if state.step % self.settings.log_every == 0:
            self._log(rate, float(result.gradient_norm), share_done)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.state.seconds += now - self._clock
        self._clock = now

    def _log(self, rate: float, gradient_norm: float, share_done: float) -> None:
        state = self.state
        self.guard.settle(state)
        if not state.window_tokens:
            return  # nothing was learned since the last line
        loss = float(self._window_loss) / state.window_tokens
        self._check(loss)
        since, already = self._window_start
        seconds = state.seconds - since
        record = {
            "kind": "train",
            "step": state.step,
            "epoch": state.epoch,
            "loss": loss,
            "perplexity": _perplexity(loss),
            **{name: float(value) / state.window_tokens for name, value in self._window_parts.items()},
            "learning_rate": rate,
            "gradient_norm": gradient_norm if math.isfinite(gradient_norm) else None,
            "tokens": state.tokens,
            "tokens_per_second": (state.window_tokens - already) / seconds,
            "seconds": state.seconds,
            "minutes_left": state.seconds / 60 * (1 / share_done - 1) if share_done else None,
        }
        self._emit(record)
        self._window_loss.zero_()
        self._window_parts = {}
        state.window_tokens = 0
        self._window_start = (state.seconds, 0)

    def _validation_due(self) -> bool:
        state, every = self.state, self.settings.validate_every
        if state.step == 0 or state.validated_step == state.step:
            return False
        if every != "epoch":
            return state.step % every == 0
        since = state.step - max(0, state.validated_step)
        return state.batch == 0 and not self.settings.limits.is_too_soon(since)

    def _judge(self) -> None:
        """Validate, remember whether it was progress, save."""
        state, settings = self.state, self.settings
        self.guard.settle(state)
        self.updater.model.eval()
        scores = self.validate()
        self._check(scores["loss"])
        value = scores[settings.metric]
        improved = state.best is None or (value > state.best if settings.higher_is_better else value < state.best)
        if improved:
            state.best = value
        state.bad_validations = 0 if improved else state.bad_validations + 1
        self.schedule.after_validation(state, improved=improved)
        state.validated_step = state.step
        self._tick()
        self._emit({"kind": "validation", "step": state.step, "epoch": state.epoch, **scores, "seconds": state.seconds})
        self._save(scores)
        self._agree_on_time()
        # what validation and saving took is not training speed
        self._window_start = (state.seconds, state.window_tokens)

    def _agree_on_time(self) -> None:
        if self.settings.limits.max_minutes is not None:  # or else clocks decide nothing
            self.state.seconds = self.interrupts.ranks.first(lambda: self.state.seconds)

    def _check(self, loss: float) -> None:
        # parameters that are no numbers never recover, and must not become the newest checkpoint
        if not math.isfinite(loss):
            raise Diverged(
                f"training diverged: the loss is {loss} at step {self.state.step}; lower "
                "training.optimizer.learning_rate, or set training.clip_norm, and start a new run"
            )

    def _save(self, scores: Scores | None) -> None:
        self.guard.settle(self.state)
        self._tick()
        self.state.window_loss = float(self._window_loss)
        self.state.window_parts = {name: float(value) for name, value in self._window_parts.items()}
        self.save(self.state, scores)
        self._saved_step = self.state.step
        self._tick()

    def _emit(self, record: Mapping[str, object]) -> None:
        for sink in self.sinks:
            sink.write(record)


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))  # more than e^709 is no float
