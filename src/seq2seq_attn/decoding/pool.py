"""Where hypotheses stand during a beam search."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.decoding.ranking import Rows
from seq2seq_attn.decoding.required import Progress
from seq2seq_attn.decoding.trellis import Trellis

_NEVER = float("-inf")


class Pool(NamedTuple):
    """Hypotheses that are no longer extended, best first; an empty place scores minus infinity."""

    scores: Float[Tensor, "beams beam"]
    nodes: Int[Tensor, "beams beam"]

    @classmethod
    def empty(cls, beams: int, beam: int, device: torch.device) -> Pool:
        """Return a pool of empty places."""
        scores = torch.full((beams, beam), _NEVER, dtype=torch.float64, device=device)
        return cls(scores, torch.zeros_like(scores, dtype=torch.long))

    def add(
        self, which: Bool[Tensor, "beams beam"], scores: Float[Tensor, "beams beam"], nodes: Int[Tensor, "beams beam"]
    ) -> Pool:
        """Return the best of these and ``which`` of the new ones; of equals the older comes first."""
        if not bool(which.any()):
            return self
        both = torch.cat([self.scores, scores.masked_fill(~which, _NEVER)], dim=1)
        order = both.argsort(dim=1, descending=True, stable=True)[:, : self.scores.shape[1]]
        return Pool(both.gather(1, order), torch.cat([self.nodes, nodes], dim=1).gather(1, order))


class Live(NamedTuple):
    """The hypotheses that the model extends next, one per row, those of a sentence together, best first."""

    places: Int[Tensor, " rows"]  # sentence times beam size, plus the place in its beam
    totals: Float[Tensor, " rows"]  # sum of ranks so far, float64: rounding must not decide a ranking
    nodes: Int[Tensor, " rows"]
    tokens: Int[Tensor, " rows"]
    rows: Rows
    attended: Float[Tensor, "rows source_len"] | None = None  # attention so far; None if nobody asks
    progress: Progress | None = None  # with required phrases; None if there are none


class Candidates(NamedTuple):
    """The continuations of each beam that stay in it, best first; an empty place has a total of minus infinity."""

    totals: Float[Tensor, "beams beam"]
    rows: Int[Tensor, "beams beam"]  # what each continues
    tokens: Int[Tensor, "beams beam"]
    log_probs: Float[Tensor, "beams beam"]


class Outcome(NamedTuple):
    """What a search leaves behind: the record, and where in it the hypotheses end."""

    trellis: Trellis
    finished: Pool
    unfinished: Pool
