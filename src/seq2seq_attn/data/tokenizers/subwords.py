"""Random segmentations of words, for subword regularization.

Sentencepiece can sample too, but its generator belongs to the thread and its seed differs from
process to process, so a run could not be repeated. Here the random numbers come from the caller.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from seq2seq_attn.data.tokenizers.base import UNK, WORD_START
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer, escape

Pieces = Mapping[str, tuple[int, float]]
"""Subword -> id and score."""

_Path = tuple[tuple[str, ...], ...]  # the pieces of a word after each merge, none of them skipped

_WORDS = re.compile(f"{WORD_START}[^{WORD_START}]*")
_CACHED_LENGTH = 24  # longer words are rare, and there are many ways to cut them
_CACHED_WORDS = 30_000


class SubwordSampler(ABC):
    """Cuts words at random into the subwords of a tokenizer."""

    def sample(self, text: str, random: Iterator[float]) -> list[int]:
        """Return token ids of ``text``, a draw from all its segmentations.

        Args:
            text: a sentence.
            random: uniform numbers in [0, 1); as many are taken as are needed.
        """
        if not text:
            return []
        ids: list[int] = []
        for word in _WORDS.findall(WORD_START + escape(text).replace(" ", WORD_START)):
            for number in self.sample_word(word, random):
                # the tokenizer writes neighboring unknown characters as one, too
                if number != UNK or not ids or ids[-1] != UNK:
                    ids.append(number)
        return ids

    @abstractmethod
    def sample_word(self, word: str, random: Iterator[float]) -> list[int]:
        """Cut one word, its leading ``▁`` included."""


def subword_sampler(tokenizer: SentencePieceTokenizer, strength: float) -> SubwordSampler:
    """Make the sampler that fits a tokenizer's algorithm.

    Args:
        tokenizer: byte-pair encoding or unigram.
        strength: for byte-pair encoding the probability that a merge is skipped; for unigram the exponent of
            the probabilities that are sampled from (smaller is more random). The papers use 0.1, and 0.1 to 0.5.
    """
    pieces = tokenizer.scores()
    # byte-pair encoding scores its subwords 0, -1, -2 and so on; unigram scores are log-probabilities
    if all(score == -rank for rank, (_, score) in enumerate(pieces.values())):
        return MergeDropout(pieces, strength)
    return UnigramSampler(pieces, strength)


class MergeDropout(SubwordSampler):
    """BPE-dropout: each time the next merge is chosen, every merge is skipped with a probability.

    Provilkov, Emelianenko and Voita (2020), algorithm 1, https://arxiv.org/abs/1910.13267.
    Most merges are not skipped: so instead of one random number for each merge, one says
    how many merges pass before the first that is skipped, and one how many are skipped there.
    """

    def __init__(self, pieces: Pieces, dropout: float) -> None:
        self._pieces = pieces
        self._log_skip = math.log(dropout) if dropout > 0 else -math.inf
        self._log_pass = math.log1p(-dropout)
        self._paths: dict[str, _Path] = {}

    def sample_word(self, word: str, random: Iterator[float]) -> list[int]:
        """Merge the characters of ``word`` until every possible merge is skipped at once."""
        path = self._paths.get(word)
        if path is None:
            path = self._path(tuple(word))
            if len(word) <= _CACHED_LENGTH:
                if len(self._paths) >= _CACHED_WORDS:
                    self._paths.clear()
                self._paths[word] = path
        while True:
            passed = _count(random, self._log_pass)
            if passed >= len(path) - 1:
                return self._ids(path[-1])
            pieces = path[int(passed)]
            merges = self._merges(pieces)
            skipped = 1 + _count(random, self._log_skip)
            if skipped >= len(merges):
                return self._ids(pieces)
            path = self._path(_merge(pieces, merges[int(skipped)]))

    def _path(self, pieces: tuple[str, ...]) -> _Path:
        path = [pieces]
        while merges := self._merges(path[-1]):
            path.append(_merge(path[-1], merges[0]))
        return tuple(path)

    def _merges(self, pieces: tuple[str, ...]) -> list[int]:
        """Find where two pieces can become one, the best merge first."""
        find = self._pieces.get
        found = [(find(left + right), at) for at, (left, right) in enumerate(pairwise(pieces))]
        return [at for _, at in sorted((-known[1], at) for known, at in found if known)]

    def _ids(self, pieces: tuple[str, ...]) -> list[int]:
        return [self._pieces[piece][0] if piece in self._pieces else UNK for piece in pieces]


def _merge(pieces: tuple[str, ...], at: int) -> tuple[str, ...]:
    return (*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :])


def _count(random: Iterator[float], log_probability: float) -> float:
    """Count how often something happens before it first does not, by the logarithm of its probability."""
    return math.log(1 - next(random)) / log_probability if log_probability else math.inf


class _Arrivals(NamedTuple):
    """The subwords that end at one position of a word."""

    cumulative: list[float]  # probabilities, summed up
    starts: list[int]
    ids: list[int]


class UnigramSampler(SubwordSampler):
    """Draws a segmentation with a probability proportional to ``P(segmentation) ** alpha``.

    Kudo (2018), section 3.2, https://arxiv.org/abs/1804.10959, over all segmentations and not the n best:
    sums over the ways to reach each position, then a walk backward.
    """

    def __init__(self, pieces: Pieces, alpha: float) -> None:
        self._pieces = pieces
        self._alpha = alpha
        self._longest = max(map(len, pieces))
        self._unknown_score = min(score for _, score in pieces.values()) - 10  # as sentencepiece does
        self._words: dict[str, list[_Arrivals]] = {}

    def sample_word(self, word: str, random: Iterator[float]) -> list[int]:
        """Walk from the end of the word to its start, by the probability of each subword."""
        lattice = self._words.get(word)
        if lattice is None:
            lattice = self._lattice(word)
            if len(word) <= _CACHED_LENGTH:
                if len(self._words) >= _CACHED_WORDS:
                    self._words.clear()
                self._words[word] = lattice
        ids: list[int] = []
        position = len(word)
        while position:
            cumulative, starts, numbers = lattice[position]
            chosen = min(bisect_right(cumulative, next(random)), len(starts) - 1)
            ids.append(numbers[chosen])
            position = starts[chosen]
        return ids[::-1]

    def _lattice(self, word: str) -> list[_Arrivals]:
        total = [0.0]  # log of the summed weights of all ways to reach a position
        lattice = [_Arrivals([], [], [])]
        for end in range(1, len(word) + 1):
            weights: list[float] = []
            starts: list[int] = []
            ids: list[int] = []
            for start in range(max(0, end - self._longest), end):
                piece = word[start:end]
                number, score = self._pieces.get(piece, (UNK, self._unknown_score))
                if number != UNK or len(piece) == 1:
                    weights.append(total[start] + self._alpha * score)
                    starts.append(start)
                    ids.append(number)
            top = max(weights)
            shares = [math.exp(weight - top) for weight in weights]
            norm = sum(shares)
            total.append(top + math.log(norm))
            cumulative: list[float] = []
            reached = 0.0
            for share in shares:
                reached += share / norm
                cumulative.append(reached)
            lattice.append(_Arrivals(cumulative, starts, ids))
        return lattice
