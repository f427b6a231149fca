"""Which part of the source is looked at, before and after the weights are normalized."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.errors import ConfigError


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

    Raises:
        ConfigError: if ``size`` is less than 1.
    """

    paper: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    keeps_sum: ClassVar[bool] = True
    """False when its factors take weight away."""
    state_parts: ClassVar[int] = 0
    """Tensors in its state."""

    def __init__(self, *, query_size: int, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(
                f"model.attention.window_size: {size} positions on either side of a window's center; say 1 or more"
            )
        self.query_size = query_size
        self.size = size

    def start(self, memory: Memory) -> AttentionState:
        """Return the state before the first decoder step."""
        del memory
        return ()

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> Windowed:
        """Place the window for every query; with several, the first one is the step that follows ``state``."""


def last_tokens(memory: Memory) -> Int[Tensor, "batch 1"]:
    """Return the position of each sentence's last token, counted from 0."""
    return memory.mask.sum(1, keepdim=True) - 1
