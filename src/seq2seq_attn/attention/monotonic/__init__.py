"""Monotonic attention: over the source from left to right, and never back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.monotonic.hard import HardMonotonicAttention
from seq2seq_attn.attention.monotonic.mocha import MonotonicChunkwiseAttention
from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.attention.scores.base import Score

__all__ = ["MONOTONIC", "HardMonotonicAttention", "MonotonicChunkwiseAttention", "MonotonicClass"]


class MonotonicClass(Protocol):
    """How a monotonic attention is made, and what is said of it."""

    @property
    def paper(self) -> str:
        """Authors, year and equation."""
        ...

    @property
    def summary(self) -> str:
        """One line for people who choose."""
        ...

    def __call__(
        self,
        score: Score,
        histories: Sequence[History],
        *,
        new_score: Callable[[], Score],
        chunk_size: int | None,
    ) -> ScoredAttention:
        """Make it from its parts; ``new_score`` gives further scores of the same kind."""
        ...


MONOTONIC: dict[str, MonotonicClass] = {
    "hard": HardMonotonicAttention,
    "mocha": MonotonicChunkwiseAttention,
}
"""Names that ``model.attention.monotonic`` may say, besides ``none``."""
