"""Which part of the source is looked at, before and after the weights are normalized."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory


class Windowed(NamedTuple):
    """What a window leaves of the source, for each query."""

    mask: Bool[Tensor, "batch target_or_1 source_len"]  # True where weights may be; one True per row at least
    factor: Float[Tensor, "batch target_len source_len"] | None  # what normalized weights are multiplied by
    state: AttentionState


class Window(nn.Module, ABC):
    """A choice of source positions.

    Args of every constructor:
        query_size: features of the decoder state.
        size: positions on either side of the center.
    """

    paper: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    keeps_sum: ClassVar[bool] = True
    """False when its factors take weight away."""
    state_parts: ClassVar[int] = 0
    """Tensors in its state."""

    def start(self, memory: Memory) -> AttentionState:
        """Return the state before the first decoder step."""
        del memory
        return ()

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> Windowed:
        """Place the window for every query; with several, the first one is the step that follows ``state``."""
