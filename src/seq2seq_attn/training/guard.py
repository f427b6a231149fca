"""Steps that must not be made, and what becomes of a training that has nothing but these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.errors import TrainingError
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.updater import StepResult, Updater

SHOWN = 10
"""Sentence numbers in a message; the log has all of them."""
MOST_WAITING = 100
"""Steps whose batches are kept until somebody asks what became of them."""


class BadSteps(TrainingError):  # noqa: N818 - what happened; as an error it is a TrainingError
    """Several steps in a row had a loss or a gradient that is not finite; the model is as it was before them."""


class Diverged(TrainingError):  # noqa: N818 - what happened; as an error it is a TrainingError
    """The model has no finite loss any more; the newest checkpoint is from before."""


class _Step(NamedTuple):
    step: int
    epoch: int
    batches: Sequence[Batch]
    tokens: int
    skipped: Tensor


class StepGuard:
    """Counts what went wrong with steps, tells of it, and ends a training in which too much does.

    The updater leaves parameters and optimizer alone when a step's loss or gradient is not finite. Whether it did is
    known on the device; asking costs a wait for it. So the steps wait here until :meth:`settle`, which asks
    once for all of them: after every step on a CPU; on a GPU before log lines and checkpoints, and whenever
    :data:`MOST_WAITING` of them hold their batches in memory.

    Args:
        updater: that makes the steps.
        max_bad_steps: skipped steps in a row that end training.
        emit: takes records for the log.
    """

    def __init__(self, updater: Updater, *, max_bad_steps: int, emit: Callable[[Mapping[str, object]], None]) -> None:
        self.updater = updater
        self.max_bad_steps = max_bad_steps
        self._emit = emit
        self._waiting: list[_Step] = []
        self._good: Sequence[Batch] | None = None
        self._too_many: _Step | None = None

    def watch(self, state: TrainState, batches: Sequence[Batch], result: StepResult) -> None:
        """Take note of a step that has been counted in ``state``."""
        if result.splits:
            state.split_batches += result.splits
            self._emit(
                {
                    "kind": "split",
                    "step": state.step,
                    "epoch": state.epoch,
                    "split_batches": state.split_batches,
                    "sentences": _numbers(batches),
                    "message": f"step {state.step}: not enough memory for a batch, which was split and learned from "
                    "in parts; further ones are counted in metrics.jsonl. A smaller training.batch_tokens is faster",
                }
            )
        self._waiting.append(_Step(state.step, state.epoch, batches, result.tokens, result.skipped))
        if self.updater.device.type == "cpu" or len(self._waiting) >= MOST_WAITING:
            self.settle(state)

    def settle(self, state: TrainState) -> None:
        """Count the steps since the last call, in ``state`` and in the log."""
        if not self._waiting:
            return
        skipped = torch.stack([step.skipped for step in self._waiting]).tolist()
        waiting, self._waiting = self._waiting, []
        for step, is_bad in zip(waiting, skipped, strict=True):
            if not is_bad:
                state.skipped_in_a_row = 0
                self._good = step.batches
                continue
            # nothing was learned from them
            state.tokens -= step.tokens
            state.window_tokens -= step.tokens
            state.skipped_steps += 1
            state.skipped_in_a_row += 1
            self._tell(state, step)
            if state.skipped_in_a_row >= self.max_bad_steps:
                self._too_many = step

    def check(self, state: TrainState) -> None:
        """End a training that makes no steps any more.

        Raises:
            BadSteps: if the model is sound and may be saved: the sentences are to blame.
            Diverged: if the model has no finite loss on sentences it had one on before.
        """
        last, self._too_many = self._too_many, None
        if last is None:
            return
        state.skipped_in_a_row = 0  # who goes on has as many attempts again
        what = (
            f"{self.max_bad_steps} steps in a row were skipped, because loss or gradient was not finite "
            f"(the last: step {last.step}, made from sentence pairs {_shown(last.batches)} of the prepared corpus; "
            "all are listed in metrics.jsonl)"
        )
        if self._is_sound(state):
            raise BadSteps(
                f"{what}. The model was sound before and is unchanged: look at these sentences, "
                "or lower training.optimizer.learning_rate"
            )
        raise Diverged(
            f"training diverged: the loss is not finite any more: {what}; lower "
            "training.optimizer.learning_rate, or set training.clip_norm, and start a new run"
        )

    def _is_sound(self, state: TrainState) -> bool:
        """Say whether it is the sentences and not the model that gives no finite loss."""
        if self._good is not None:
            return self.updater.loss_is_finite(self._good)
        # no good step since training was taken up again: all there is to look at are the parameters
        parameters = self.updater.model.parameters()
        return state.tokens > 0 and all(bool(torch.isfinite(one).all()) for one in parameters)

    def _tell(self, state: TrainState, step: _Step) -> None:
        self._emit(
            {
                "kind": "skipped",
                "step": step.step,
                "epoch": step.epoch,
                "skipped_steps": state.skipped_steps,
                "in_a_row": state.skipped_in_a_row,
                "sentences": _numbers(step.batches),
                "message": f"step {step.step} was skipped: its loss or gradient was not finite (sentence pairs "
                f"{_shown(step.batches)} of the prepared corpus); further ones are counted in metrics.jsonl",
            }
        )


def _numbers(batches: Sequence[Batch]) -> list[int]:
    """Return the numbers of the sentences, counted from 1 among the training pairs that were kept."""
    return [number + 1 for batch in batches for number in batch.indices.tolist()]


def _shown(batches: Sequence[Batch]) -> str:
    numbers = _numbers(batches)
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more
