"""Attention in three steps: score -> normalize -> context.

Axis names, the same in every signature of this package:

    batch       sentences
    target_len  decoder steps asked for at once (1 while decoding)
    source_len  encoder positions, padding included
    heads       looks that one mechanism takes at once
    query, key, value   feature sizes

Nothing is ever stored on a module between calls: what belongs to a source
sentence is in ``Memory``, what belongs to a decoder step is in the attention's
state, and both go in and come out as values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Wiring = Literal["luong", "bahdanau", "conditional", "gnmt"]

AttentionState = tuple[Tensor, ...]
"""What a mechanism carries from one decoder step to the next: tensors whose first axis is ``batch``.

Empty for a mechanism that has no history.
"""


class Memory(NamedTuple):
    """One encoded source batch as the decoder sees it: built once, then only read."""

    values: Float[Tensor, "batch *heads source_len value"]
    keys: Float[Tensor, "batch *heads source_len key"]
    mask: Bool[Tensor, "batch source_len"]  # True where there is a token

    def select(self, rows: Int[Tensor, " kept"]) -> Memory:
        """Keep ``rows``, repeats allowed: how beam search follows its survivors."""
        return Memory(*(field.index_select(0, rows) for field in self))


class Attended(NamedTuple):
    """What one look at the memory gives."""

    context: Float[Tensor, "batch target_len value"]
    weights: Float[Tensor, "batch target_len source_len"]
    state: AttentionState


class Attention(nn.Module, ABC):
    """Look into a memory with a query: what a decoder knows of any mechanism.

    Args of every constructor:
        query_size: features of the decoder state.
        value_size: features of an encoder state; twice the encoder's hidden
            size when it reads in both directions.
        hidden_size: features of the layer inside the score, where it has one.
    """

    paper: ClassVar[str] = ""
    """Authors, year and equation."""
    summary: ClassVar[str] = ""
    """One line for people who choose."""
    wiring: ClassVar[Wiring] = "luong"
    """The order of attending and updating in the mechanism's paper."""
    attends: ClassVar[bool] = True
    """False for the one mechanism that never looks at the source."""
    sums_to_one: bool = True
    """False where the paper's weights may sum to less (and for no attention, where they are all zero)."""
    recurrent: bool = False
    """True when a step needs the attention state of the step before it: one query per call."""

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.context_size = value_size
        self.hidden_size = hidden_size

    @abstractmethod
    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Do, once per source batch, the work that no query changes.

        Whatever stands in the padding of ``values``, NaN included, must reach neither
        a context nor a gradient.
        """

    def start(self, memory: Memory) -> AttentionState:
        """Return the state before the first decoder step."""
        del memory
        return ()

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> Attended:
        """Attend once for every query.

        Args:
            query: decoder states.
            memory: from :meth:`memorize`.
            state: from :meth:`start` or the call before.
        """
