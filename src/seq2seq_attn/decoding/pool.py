"""Where hypotheses stand during a beam search."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.ranking import Rows
from seq2seq_attn.decoding.required import Progress
from seq2seq_attn.decoding.trellis import Trellis

_NEVER = float("-inf")


class Pool(NamedTuple):
    """Hypotheses that are no longer extended, best first; an empty place scores minus infinity."""

    scores: Float[Array, "beams beam"]
    nodes: Int[Array, "beams beam"]

    @classmethod
    def empty(cls, beams: int, beam: int, *, like: Array) -> Pool:
        """Return a pool of empty places."""
        shape = (beams, beam)
        return cls(
            arrays.full(shape, _NEVER, like=like, dtype="float64"), arrays.full(shape, 0, like=like, dtype="int64")
        )

    def add(
        self, which: Bool[Array, "beams beam"], scores: Float[Array, "beams beam"], nodes: Int[Array, "beams beam"]
    ) -> Pool:
        """Return the best of these and ``which`` of the new ones; of equals the older comes first."""
        if not bool(which.any()):
            return self
        both = arrays.concat([self.scores, arrays.masked(scores, ~which, _NEVER)], axis=1)
        order = arrays.ordered(both, descending=True)[:, : self.scores.shape[1]]
        every = arrays.concat([self.nodes, nodes], axis=1)
        return Pool(arrays.take_along(both, order), arrays.take_along(every, order))


class Live(NamedTuple):
    """The hypotheses that the model extends next, one per row, those of a sentence together, best first."""

    places: Int[Array, " rows"]  # sentence times beam size, plus the place in its beam
    totals: Float[Array, " rows"]  # sum of ranks so far, float64: rounding must not decide a ranking
    nodes: Int[Array, " rows"]
    tokens: Int[Array, " rows"]
    rows: Rows
    attended: Float[Array, "rows source_len"] | None = None  # attention so far; None if nobody asks
    progress: Progress | None = None  # with required phrases; None if there are none


class Candidates(NamedTuple):
    """The continuations of each beam that stay in it, best first; an empty place has a total of minus infinity."""

    totals: Float[Array, "beams beam"]
    rows: Int[Array, "beams beam"]  # what each continues
    tokens: Int[Array, "beams beam"]
    log_probs: Float[Array, "beams beam"]


class Outcome(NamedTuple):
    """What a search leaves behind: the record, and where in it the hypotheses end."""

    trellis: Trellis
    finished: Pool
    unfinished: Pool
