"""Attention in three steps: score -> normalize -> context.

Axis names, the same in every signature of this package:

    batch       sentences
    target_len  decoder steps asked for at once (1 while decoding)
    source_len  encoder positions, padding included
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

Wiring = Literal["luong", "bahdanau"]

AttentionState = tuple[Tensor, ...]
"""What a mechanism carries from one decoder step to the next: tensors whose first axis is ``batch``.

Empty for a mechanism that has no history.
"""


class Memory(NamedTuple):
    """One encoded source batch as the decoder sees it: built once, then only read."""

    values: Float[Tensor, "batch source_len value"]
    keys: Float[Tensor, "batch source_len key"]
    mask: Bool[Tensor, "batch source_len"]  # True where there is a token

    def select(self, rows: Int[Tensor, " kept"]) -> Memory:
        """Keep ``rows``, repeats allowed: how beam search follows its survivors."""
        return Memory(*(field.index_select(0, rows) for field in self))


class Attended(NamedTuple):
    """What one look at the memory gives."""

    context: Float[Tensor, "batch target_len value"]
    weights: Float[Tensor, "batch target_len source_len"]
    state: AttentionState


class Score(nn.Module, ABC):
    """How relevant is each source position (its key) to the decoder's query?

    A new mechanism is a subclass: set the class attributes, write ``forward``
    and, where keys are not the encoder states themselves, ``project``.

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

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.value_size = value_size
        self.hidden_size = hidden_size

    def project(self, values: Float[Tensor, "batch source_len value"]) -> Float[Tensor, "batch source_len key"]:
        """Turn encoder states into keys, once per source sentence."""
        return values

    @abstractmethod
    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies: unnormalized, unmasked, any real number."""


class Attention(nn.Module, ABC):
    """Look into a memory with a query: what a decoder knows of any mechanism."""

    paper: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    wiring: ClassVar[Wiring] = "luong"
    attends: ClassVar[bool] = True
    """False for the one mechanism that never looks at the source."""
    recurrent: ClassVar[bool] = False
    """True when a step needs the attention state of the step before it."""

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


class ScoredAttention(Attention):
    """The three steps with a choice for each: score -> normalize -> weighted mean."""

    def __init__(self, score: Score, normalizer: nn.Module) -> None:
        super().__init__(query_size=score.query_size, value_size=score.value_size, hidden_size=score.hidden_size)
        self.score = score
        self.normalizer = normalizer

    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Zero the padding and make the keys."""
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        return Memory(values, self.score.project(values), mask)

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Score, normalize, average."""
        energies = self.score(query, memory.keys)
        weights = self.normalizer(energies, memory.mask)
        context = weights.to(memory.values.dtype) @ memory.values
        return Attended(context, weights, state)


class NoAttention(Attention):
    """The fixed-vector encoder-decoder: the decoder never looks back at the source.

    All it knows of the source is its first state, made by the bridge (Sutskever, Vinyals
    and Le 2014, https://arxiv.org/abs/1409.3215). The context has no features and all
    weights are zero, so the same decoder runs with it and without it.
    """

    paper: ClassVar[str] = "Sutskever et al. 2014"
    summary: ClassVar[str] = "no attention: the source is one fixed vector, the decoder's first state"
    attends: ClassVar[bool] = False

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        del value_size
        super().__init__(query_size=query_size, value_size=0, hidden_size=hidden_size)

    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Keep only the mask: the encoder states are not needed again."""
        nothing = values[:, :, :0]
        return Memory(nothing, nothing, mask)

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Return a context without features and weights of zero."""
        batch, target_len, _ = query.shape
        weights = query.new_zeros(batch, target_len, memory.mask.shape[1])
        return Attended(query[:, :, :0], weights, state)
