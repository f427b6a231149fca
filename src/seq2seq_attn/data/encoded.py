"""A corpus as token ids, in flat arrays that the operating system maps into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.ragged import Ragged, smallest_dtype
from seq2seq_attn.data.word_links import WordLinks
from seq2seq_attn.errors import DataError

SIDES = ("source", "target")


class Part(NamedTuple):
    """Neighboring pairs that come from one corpus of the configuration."""

    pairs: int
    weight: float = 1.0  # times that an epoch sees each of them


class EncodedCorpus:
    """Sentence pairs as token ids, without special symbols.

    Args:
        source: token ids of the source sentences.
        target: token ids of the target sentences.
        links: their gold alignments, if there are any.
        parts: how often an epoch sees which of them; every pair once if nothing is said.
    """

    def __init__(
        self, source: Ragged, target: Ragged, links: WordLinks | None = None, *, parts: Sequence[Part] = ()
    ) -> None:
        if len(source) != len(target):
            raise DataError(
                f"the prepared corpus is damaged: {len(source)} source sentences, {len(target)} target sentences; "
                "prepare it again"
            )
        if links is not None and len(links.links) != len(source):
            raise DataError(
                f"the prepared corpus is damaged: {len(source)} pairs, but alignments of {len(links.links)}; "
                "prepare it again"
            )
        self._source = source
        self._target = target
        self.links = links
        self.parts = tuple(parts) or (Part(len(source)),)
        if sum(part.pairs for part in self.parts) != len(source):
            raise DataError(
                f"the prepared corpus is damaged: {len(source)} pairs, but its parts have "
                f"{' + '.join(str(part.pairs) for part in self.parts)}; prepare it again"
            )

    @classmethod
    def open(cls, folder: Path, parts: Sequence[Part] = ()) -> EncodedCorpus:
        """Map a corpus that was written with :func:`ids_path` names into memory.

        Raises:
            DataError: if it is missing or damaged.
        """
        source, target = (Ragged.open(_find(folder, side)) for side in SIDES)
        return cls(source, target, WordLinks.open(folder), parts=parts)

    def __len__(self) -> int:
        return len(self._source)

    def source(self, number: SupportsIndex) -> NDArray[Any]:
        """Return the token ids of one source sentence."""
        return self._source[number]

    def target(self, number: SupportsIndex) -> NDArray[Any]:
        """Return the token ids of one target sentence."""
        return self._target[number]

    @property
    def source_lengths(self) -> NDArray[np.int64]:
        """Tokens of each source sentence."""
        return self._source.lengths

    @property
    def target_lengths(self) -> NDArray[np.int64]:
        """Tokens of each target sentence."""
        return self._target.lengths

    def source_lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of some source sentences."""
        return self._source.lengths_of(rows)

    def target_lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of some target sentences."""
        return self._target.lengths_of(rows)

    def release(self) -> None:
        """Let the memory go that parts of the mapped files take."""
        self._source.release()
        self._target.release()
        if self.links is not None:
            self.links.release()


def ids_path(folder: Path, side: str, vocabulary_size: int) -> Path:
    """Name the file of one side's token ids; the suffix is the smallest type that holds them."""
    return folder / f"{side}.{smallest_dtype(vocabulary_size).__name__}"


def text_path(folder: Path, side: str) -> Path:
    """Name the file of one side's text."""
    return folder / f"{side}_text.uint8"


def _find(folder: Path, side: str) -> Path:
    for suffix in ("uint16", "int32"):
        path = folder / f"{side}.{suffix}"
        if path.is_file():
            return path
    raise DataError(f"{folder}: the {side} side of the prepared corpus is missing; prepare it again")
