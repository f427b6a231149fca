"""Unknown words of a translation, replaced by words of its source.

The model writes its one unknown token where the target vocabulary has no word, and its attention tells which
source word it means: Luong, Pham and Manning (2015), section 4 (https://arxiv.org/abs/1508.04025), as Jean et al.
(2015, https://arxiv.org/abs/1412.2007): the source word with most weight is looked up in a lexicon, and copied when
it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.data.tokenizers import UNK, UNKNOWN_TEXT, Tokenizers
from seq2seq_attn.errors import DataError


def read_lexicon(path: str | Path) -> dict[str, str]:
    """Read ``source<TAB>target`` words; of several lines for one source word the first holds.

    Raises:
        DataError: if the file is missing, or a line is something else.
    """
    lexicon: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t")
        if len(columns) != 2 or not all(column.strip() for column in columns):
            raise DataError(f"{path}:{number}: expected a source word, one tab and a target word, got {line[:60]!r}")
        source, target = (column.strip() for column in columns)
        lexicon.setdefault(source, target)
    return lexicon


class UnknownWords:
    """Writes translations out, with source words in the place of unknown tokens.

    Args:
        tokenizers: of both languages.
        lexicon: target words by source words.
    """

    def __init__(self, tokenizers: Tokenizers, lexicon: Mapping[str, str]) -> None:
        self.tokenizers = tokenizers
        self.lexicon = lexicon

    def write(self, source: str, tokens: Sequence[int], weights: NDArray[np.floating]) -> str:
        """Return the text of a translation.

        Args:
            source: the sentence it translates.
            tokens: its target ids.
            weights: shape (target tokens, source tokens), or with more rows and columns.
        """
        target = self.tokenizers.target
        # An unknown token is written as a sign, which the text may hold for itself, too.
        pieces = target.decode(tokens).split(UNKNOWN_TEXT)
        numbers, words = self.tokenizers.source.units(source)
        written = [pieces[0]]
        rest = iter(pieces[1:])
        for position, token in enumerate(tokens):
            if token == UNK:
                written += [self._meant(weights[position], numbers, words), next(rest, "")]
            else:
                for _ in range(target.surface(token).count(UNKNOWN_TEXT)):
                    written += [UNKNOWN_TEXT, next(rest, "")]
        return "".join(written)

    def _meant(self, weights: NDArray[np.floating], numbers: Sequence[int], words: Sequence[str]) -> str:
        """Return what stands for the source word with most weight; of equals the first."""
        masses = [0.0] * len(words)
        for number, weight in zip(numbers, weights.tolist(), strict=False):
            if number < len(words) and words[number]:
                masses[number] += weight
        best = max(masses, default=0.0)
        if best <= 0:
            return UNKNOWN_TEXT  # it looked at no word, only at the end of the sentence
        word = words[masses.index(best)]
        return self.lexicon.get(word, word)
