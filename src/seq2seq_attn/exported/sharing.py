"""Which sentence each row looks at: one memory per sentence, however many hypotheses it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Sharing:
    """The places of rows beside the others of their sentence.

    Attributes:
        held: sentences that there is memory of.
        sentences: the sentence of each row, shape (rows,).
    """

    held: int
    sentences: Indices

    @cached_property
    def inputs(self) -> dict[str, Indices]:
        """What a step is told: ``sentences``, ``grid`` (held, places) and ``places`` (rows,)."""
        rows = len(self.sentences)
        order = np.argsort(self.sentences, kind="stable")
        ordered = self.sentences[order]
        numbers = np.arange(rows) - np.searchsorted(ordered, ordered)  # of the rows of the same sentence
        wide = 1 + int(numbers.max(initial=0))
        places = np.empty(rows, dtype=np.int64)
        places[order] = ordered * wide + numbers
        grid = np.zeros(self.held * wide, dtype=np.int64)
        grid[places] = np.arange(rows)
        return {"sentences": self.sentences, "grid": grid.reshape(self.held, wide), "places": places}

    def select(self, rows: Indices) -> tuple[Sharing, Indices | None]:
        """Keep ``rows``; say which sentences to keep, too, once many have no rows any more (None: all)."""
        sentences = self.sentences[rows]
        alive = np.zeros(self.held, dtype=bool)
        alive[sentences] = True
        kept = int(np.count_nonzero(alive))
        if kept * 4 > self.held * 3:
            return Sharing(self.held, sentences), None
        return Sharing(kept, (np.cumsum(alive) - 1)[sentences]), np.flatnonzero(alive)
