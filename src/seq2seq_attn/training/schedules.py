"""Learning rate schedules: pure functions of how far training has come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from seq2seq_attn.training.state import TrainState

ScheduleKind = Literal["constant", "cosine", "inverse_sqrt", "plateau", "luong"]


@dataclass(frozen=True)
class Schedule:
    """A factor on the learning rate.

    * ``constant``: 1.
    * ``cosine``: half a cosine from 1 down to ``minimum_ratio`` (Loshchilov and Hutter 2017,
      equation 5 without restarts, https://arxiv.org/abs/1608.03983).
    * ``inverse_sqrt``: 1 at the end of the warm-up, then falling with the square root of the step
      (Vaswani et al. 2017, equation 3, normalized to the peak).
    * ``plateau``: multiplied by ``factor`` when more than ``patience`` validations in a row bring no progress.
    * ``luong``: multiplied by ``factor`` before each epoch once ``halve_after_epochs`` are over
      (Luong et al. 2015, section 4.1).

    Each rises linearly over the first ``warmup_steps``.
    """

    kind: ScheduleKind = "constant"
    warmup_steps: int = 0
    minimum_ratio: float = 0.0
    factor: float = 0.5
    patience: int = 1
    halve_after_epochs: int = 8

    def rate_factor(self, state: TrainState, share_done: float) -> float:
        """Return the factor for the step after ``state.step``.

        Args:
            state: where training stands.
            share_done: of the whole training, 0 to 1.
        """
        step = state.step + 1
        warmup = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        if self.kind == "cosine":
            return warmup * (self.minimum_ratio + (1 - self.minimum_ratio) * (1 + math.cos(math.pi * share_done)) / 2)
        if self.kind == "inverse_sqrt":
            start = max(1, self.warmup_steps)
            return warmup * math.sqrt(start / max(step, start))
        if self.kind == "luong":
            return warmup * self.factor ** max(0, state.epoch - self.halve_after_epochs + 1)
        return warmup * state.rate_scale

    def after_validation(self, state: TrainState, *, improved: bool) -> None:
        """Let a plateau schedule lower ``state.rate_scale``."""
        if self.kind != "plateau":
            return
        state.bad_for_rate = 0 if improved else state.bad_for_rate + 1
        if state.bad_for_rate > self.patience:
            state.rate_scale *= self.factor
            state.bad_for_rate = 0
