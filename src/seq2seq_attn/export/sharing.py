"""One memory for all hypotheses of a sentence, in a form that a graph can have.

Search gives every row a place beside the other rows of its sentence (see ``SentenceMemory`` of
:mod:`seq2seq_attn.inference.attention`). A graph is told of the places from outside: ``grid`` says which row
stands at each place of each sentence, ``places`` where each row stands. So it neither sorts nor counts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.transformer.attention import KeysValues, TransformerAttention


class Grid(NamedTuple):
    """Where the rows stand."""

    rows: Int[Tensor, "held places"]  # the row at each place of each sentence; any row where there is none
    places: Int[Tensor, " rows"]  # where each row stands, sentence by sentence

    def enter(self, rows: Float[Tensor, "rows features"]) -> Float[Tensor, "held places features"]:
        """Bring rows to the sentences that they belong to."""
        held, places = self.rows.shape
        return rows.index_select(0, self.rows.reshape(-1)).view(held, places, rows.shape[1])

    def leave(self, found: Tensor) -> Tensor:
        """Bring what was found at all places (held, places, features) back to the rows."""
        return found.flatten(0, 1).index_select(0, self.places)


class GridMemory(Memory):
    """A memory of sentences, with the places of rows."""

    grid: Grid

    @classmethod
    def of(cls, memory: Memory, grid: Grid) -> GridMemory:
        """Put the two together."""
        made = cls(*memory)
        made.grid = grid
        return made


class GridKeysValues(KeysValues):
    """What the heads of one layer look at in the source, with the places of rows."""

    grid: Grid

    @classmethod
    def of(cls, memory: KeysValues, grid: Grid) -> GridKeysValues:
        """Put the two together."""
        made = cls(*memory)
        made.grid = grid
        return made


def shares_memory(model: Seq2Seq) -> bool:
    """Say whether all hypotheses of a sentence can look at one memory: where no step needs the one before it."""
    if not isinstance(model, RNNSeq2Seq):
        return True
    attention = model.decoder.attention
    if attention.recurrent:
        return False
    like = next(model.parameters())
    with torch.no_grad():
        size = model.encoder.output_size
        memory = attention.memorize(like.new_zeros(1, 2, size), torch.ones(1, 2, dtype=torch.bool, device=like.device))
        return not attention.start(memory)


class GridAttention(Attention):
    """A mechanism whose hypotheses of one sentence look at one memory, as positions of a target do in training.

    Args:
        inner: the mechanism; it has no state.
    """

    def __init__(self, inner: Attention) -> None:
        super().__init__(query_size=inner.query_size, value_size=inner.context_size, hidden_size=inner.hidden_size)
        self.inner = inner
        self.recurrent = inner.recurrent
        self.sums_to_one = inner.sums_to_one
        self.attends = inner.attends  # type: ignore[misc]  # of the class, there

    def memorize(
        self, values: Float[Tensor, "batch source_len value"], mask: Bool[Tensor, "batch source_len"]
    ) -> Memory:
        """Make the memory of the mechanism."""
        return self.inner.memorize(values, mask)

    def forward(self, query: Float[Tensor, "rows 1 query"], memory: Memory, state: AttentionState = ()) -> Attended:
        """Bring the queries to their sentences, attend, and bring back what they found."""
        assert isinstance(memory, GridMemory), "a graph of shared memory is traced with the places of rows"
        grid = memory.grid
        found = self.inner(grid.enter(query.squeeze(1)), Memory(*memory), ())
        return Attended(grid.leave(found.context).unsqueeze(1), grid.leave(found.weights).unsqueeze(1), state)


class GridTransformerAttention(nn.Module):
    """The same for a layer's attention to the source.

    Args:
        inner: the layer's.
    """

    def __init__(self, inner: TransformerAttention) -> None:
        super().__init__()
        self.inner = inner

    def remember(self, states: Float[Tensor, "batch key_len size"]) -> KeysValues:
        """Make the keys and values of all heads."""
        return self.inner.remember(states)

    def forward(
        self,
        states: Float[Tensor, "rows 1 size"],
        memory: GridKeysValues,
        mask: Bool[Tensor, "held 1 1 source_len"],
        *,
        look: bool = False,
    ) -> tuple[Float[Tensor, "rows 1 size"], Float[Tensor, "rows heads 1 source_len"] | None]:
        """Bring the rows to their sentences, attend, and bring back what they found."""
        grid = memory.grid
        found, weights = self.inner(grid.enter(states.squeeze(1)), KeysValues(*memory), mask, look=look)
        back = None if weights is None else grid.leave(weights.transpose(1, 2)).unsqueeze(2)
        return grid.leave(found).unsqueeze(1), back
