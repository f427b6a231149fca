"""When training ends, and what share of it is done."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_attn.training.state import TrainState


@dataclass(frozen=True)
class Limits:
    """The first limit reached ends the training; None is no limit.

    Attributes:
        max_epochs: passes over the corpus.
        max_steps: of the optimizer.
        max_minutes: of training and validating.
        min_steps: before which ``max_epochs`` ends nothing: epochs of few sentences are short.
    """

    max_epochs: int | None = None
    max_steps: int | None = None
    max_minutes: float | None = None
    min_steps: int | None = None

    def share_done(self, state: TrainState, batches_per_epoch: int) -> float:
        """Return how much of the training is over, 0 to 1: by the limit that is nearest.

        With ``max_minutes`` the answer depends on the clock, and so does a schedule made from it.
        """
        shares = [0.0]
        if self.max_steps is not None:
            shares.append(state.step / self.max_steps)
        if self.max_epochs is not None:
            share_of_epochs = (state.epoch + state.batch / batches_per_epoch) / self.max_epochs
            shares.append(
                share_of_epochs if self.min_steps is None else min(share_of_epochs, state.step / self.min_steps)
            )
        if self.max_minutes is not None:
            shares.append(state.seconds / 60 / self.max_minutes)
        return min(1.0, max(shares))

    def is_too_soon(self, steps: int) -> bool:
        """Tell whether an epoch that ends so many steps after the last validation needs none of its own.

        It does not while these are fewer than the steps of an epoch of which ``max_epochs`` make ``min_steps``.
        """
        if self.max_epochs is None or self.min_steps is None:
            return False
        least = self.min_steps if self.max_steps is None else min(self.min_steps, self.max_steps)
        return steps * self.max_epochs < least

    def reached(self, state: TrainState) -> str | None:
        """Return the limit that has been reached, in words, or None."""
        if self.max_steps is not None and state.step >= self.max_steps:
            return f"max_steps ({self.max_steps})"
        if self.max_epochs is not None and state.epoch >= self.max_epochs:
            if self.min_steps is None:
                return f"max_epochs ({self.max_epochs})"
            if state.step >= self.min_steps:
                return f"max_epochs ({self.max_epochs}) and min_steps ({self.min_steps})"
        if self.max_minutes is not None and state.seconds >= self.max_minutes * 60:
            return f"max_minutes ({self.max_minutes:g})"
        return None
