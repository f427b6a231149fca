"""Gold alignments of an encoded corpus: links between words, and the words that tokens belong to.

Links stay links between words on disk. They become a matrix over tokens when a batch is made, because
with subword sampling the tokens of a word are others in each epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.ragged import Ragged
from seq2seq_attn.errors import DataError

_FILES = ("links.int32", "source_words.int32", "target_words.int32")


@dataclass(frozen=True)
class WordLinks:
    """The gold alignments of a corpus.

    Attributes:
        links: of each pair: source word, target word, source word, target word, ...
        source_words: of each source sentence the word that each token belongs to.
        target_words: of each target sentence the word that each token belongs to.
    """

    links: Ragged
    source_words: Ragged
    target_words: Ragged

    @classmethod
    def open(cls, folder: Path) -> WordLinks | None:
        """Map the files of ``folder``; None if it has none.

        Raises:
            DataError: if it is damaged.
        """
        paths = links_paths(folder)
        if not any(path.exists() for path in paths):
            return None
        found = cls(*(Ragged.open(path) for path in paths))
        if not len(found.links) == len(found.source_words) == len(found.target_words):
            raise DataError(f"{folder}: the alignments of the prepared corpus are damaged; prepare it again")
        return found

    def release(self) -> None:
        """Let the memory go that parts of the mapped files take."""
        for ragged in (self.links, self.source_words, self.target_words):
            ragged.release()

    def matrices(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Say what each target token of some pairs should attend to.

        The weight is spread evenly over all tokens of all source words that the token's word is linked to
        (Mi et al. 2016, https://arxiv.org/abs/1608.00112). Tokens of words without links,
        ``EOS`` and padding have rows of zeros, and no column of ``EOS`` or padding has any weight.

        Args:
            rows: numbers of the pairs.

        Returns:
            Shape (pairs, target_len, source_len), with room for ``EOS``; rows sum to 1 or are zero.
        """
        links, source_words, target_words = (
            ragged.take(rows) for ragged in (self.links, self.source_words, self.target_words)
        )
        pair = np.repeat(np.arange(len(rows)), links.lengths // 2)
        source, target = links.values.reshape(-1, 2).T
        # one word more on either side, which is linked to nothing: that of EOS and padding
        no_source = 1 + max(int(words.max(initial=0)) for words in (source_words.values, source))
        no_target = 1 + max(int(words.max(initial=0)) for words in (target_words.values, target))
        linked = np.zeros((len(rows), no_target + 1, no_source + 1), np.float32)
        linked[pair, target, source] = 1
        matrices: NDArray[np.float32] = linked[
            np.arange(len(rows))[:, None, None],
            _padded(target_words, no_target)[:, :, None],
            _padded(source_words, no_source)[:, None, :],
        ]
        matrices /= np.maximum(matrices.sum(axis=2, keepdims=True), 1)
        return matrices


def links_paths(folder: Path) -> list[Path]:
    """Name the files of :class:`WordLinks`, in the order of its attributes."""
    return [folder / name for name in _FILES]


def _padded(words: Ragged, no_word: int) -> NDArray[np.int64]:
    """Put the rows side by side, with room for ``EOS``."""
    size = int(words.lengths.max(initial=0)) + 1
    padded = np.full((len(words), size), no_word, dtype=np.int64)
    padded[np.arange(size) < words.lengths[:, None]] = words.values
    return padded
