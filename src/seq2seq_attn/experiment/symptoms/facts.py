"""What is known of the text of a run, as plain numbers: symptoms are read from these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.tokenizers import SPECIALS, UNK


@dataclass(frozen=True)
class Side:
    """One language of a split, in tokens.

    Attributes:
        lengths: tokens of each sentence.
        counts: occurrences of each token of the vocabulary.
    """

    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, sentences: Sequence[Sequence[int]], vocabulary_size: int) -> Side:
        """Count the tokens of encoded sentences."""
        lengths = np.fromiter((len(ids) for ids in sentences), np.int64, len(sentences))
        flat = np.fromiter((token for ids in sentences for token in ids), np.int64, int(lengths.sum()))
        return cls(lengths, np.bincount(flat, minlength=vocabulary_size))

    @property
    def tokens(self) -> int:
        """All running tokens."""
        return int(self.counts.sum())

    @property
    def unknown(self) -> float:
        """The share of the running tokens that the vocabulary does not have."""
        return float(self.counts[UNK] / self.tokens) if self.tokens else 0.0

    @property
    def learnable(self) -> NDArray[np.int64]:
        """Occurrences of the tokens that are no special symbols."""
        return self.counts[len(SPECIALS) :]


@dataclass(frozen=True)
class Split:
    """A split of the corpus.

    Attributes:
        name: ``train``, ``validation`` or that of a test set.
        source: its source side.
        target: its target side.
        pairs: some of its sentence pairs (source, target) as text, spread over all of it.
    """

    name: str
    source: Side
    target: Side
    pairs: Sequence[tuple[str, str]]

    @property
    def size(self) -> int:
        """The number of its sentence pairs."""
        return len(self.source.lengths)

    @property
    def sides(self) -> tuple[tuple[str, Side], tuple[str, Side]]:
        """Both sides, with what they are called."""
        return ("source", self.source), ("target", self.target)
