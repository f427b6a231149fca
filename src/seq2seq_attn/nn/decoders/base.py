"""What every wiring of the decoder shares.

A wiring is the order in which a decoder attends and updates its state, and what reads the context. The
score is a choice of its own: any wiring runs with any mechanism.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attention, AttentionState, Memory
from seq2seq_attn.nn.recurrent.stack import RecurrentStack, RecurrentState


class DecoderState(NamedTuple):
    """What the decoder carries from one step to the next."""

    recurrent: RecurrentState
    feed: Float[Tensor, "batch fed"]  # what is fed back of the step before; no features where nothing is
    attention: AttentionState

    def select(self, rows: Int[Tensor, " kept"]) -> DecoderState:
        """Keep ``rows``, repeats allowed."""
        return DecoderState(
            self.recurrent.select(rows),
            self.feed.index_select(0, rows),
            tuple(part.index_select(0, rows) for part in self.attention),
        )


class Decoded(NamedTuple):
    """What the decoder made of some target positions."""

    features: Float[Tensor, "batch target_len attentional"]  # what the output layer reads
    weights: Float[Tensor, "batch target_len source_len"]
    state: DecoderState
    generate: Float[Tensor, "batch target_len"] | None = None  # probability of not copying; None: never copied


class Decoder(nn.Module, ABC):
    """Recurrent layers and attention.

    Args:
        attention: the mechanism.
        stack: the recurrent layers.
        attentional_size: features of the vector that the output layer reads.
        copy_gate: from context, state and embedding of a position to the probability that its token is
            generated, not copied; None where nothing is copied.
    """

    def __init__(
        self,
        *,
        attention: Attention,
        stack: RecurrentStack,
        attentional_size: int,
        copy_gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.stack = stack
        self.attentional_size = attentional_size
        self.copy_gate = copy_gate

    @abstractmethod
    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded``: the whole target under teacher forcing, or one position in search."""

    def start(self, recurrent: RecurrentState, memory: Memory) -> DecoderState:
        """Return the state before the first target position; what is fed back is zero there."""
        hidden = recurrent.hidden
        return DecoderState(recurrent, hidden.new_zeros(hidden.shape[0], self.feed_size), self.attention.start(memory))

    @property
    def feed_size(self) -> int:
        """Features that go from one step into the next besides the states."""
        return 0

    def generate(
        self,
        context: Float[Tensor, "batch target_len value"],
        outputs: Float[Tensor, "batch target_len hidden"],
        embedded: Float[Tensor, "batch target_len embedding"],
    ) -> Float[Tensor, "batch target_len"] | None:
        """Return the probabilities of not copying, for all positions at once."""
        if self.copy_gate is None:
            return None
        return self.copy_gate(context, outputs.to(context.dtype), embedded.to(context.dtype))


def side_by_side(
    context: Float[Tensor, "batch target_len value"], *others: Float[Tensor, "batch target_len _"]
) -> Float[Tensor, "batch target_len joined"]:
    """Join the context and other features of the same positions."""
    return torch.cat([context, *(other.to(context.dtype) for other in others)], -1)
