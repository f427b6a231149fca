"""Where a training stands: everything a resumed run must know, besides tensors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainState:
    """Counters of a training; plain numbers, so that they can be read without torch.

    Attributes:
        step: optimizer steps made.
        epoch: passes over the corpus completed.
        batch: batches used of the pass under way.
        tokens: target tokens learned from so far.
        seconds: time spent training and validating, earlier runs included.
        best: best value of the validation metric so far.
        bad_validations: validations since then.
        validated_step: the step of the last validation, -1 before the first.
        rate_scale: what a plateau schedule has multiplied the learning rate by.
        bad_for_rate: validations without progress since the rate last changed.
        window_loss: loss summed since the last log line.
        window_tokens: target tokens since the last log line.
        window_parts: what the loss consists of besides the likelihood, summed since then, by name.
        skipped_steps: steps whose loss or gradient was not finite; they count as steps, and changed nothing.
        skipped_in_a_row: of them, those since the last step that was made.
        split_batches: how often a batch was split for want of memory.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    bad_validations: int = 0
    validated_step: int = -1
    rate_scale: float = 1.0
    bad_for_rate: int = 0
    window_loss: float = 0.0
    window_tokens: int = 0
    window_parts: dict[str, float] = field(default_factory=dict)
    skipped_steps: int = 0
    skipped_in_a_row: int = 0
    split_batches: int = 0
