"""Links between words: from attention weights over tokens, and as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Links = list[tuple[int, int]]
"""Pairs of (source word, target word), counted from 0, sorted."""


_LINK = re.compile(r"([0-9]{1,9})([-?p])([0-9]{1,9})")


class ReferenceLinks(NamedTuple):
    """What a person (or another program) says of one sentence pair (Och and Ney 2003, section 6)."""

    sure: Links
    possible: Links  # the sure ones, too


def word_numbers(starts: Sequence[bool]) -> list[int]:
    """Return for each token the number of the word it belongs to; the first token always starts one."""
    numbers = []
    word = -1
    for position, start in enumerate(starts):
        word += start or position == 0
        numbers.append(word)
    return numbers


def align_words(weights: NDArray[np.floating], source_starts: Sequence[bool], target_starts: Sequence[bool]) -> Links:
    """Link every target word to the source word that got most of its weight.

    A word's weight is the sum over its source tokens and the mean over its target tokens, so rows
    still sum to 1. Columns behind the source tokens (the end-of-sentence symbol) are one more
    candidate: a target word that looks there is left without a link.

    Args:
        weights: shape (target tokens, source tokens), or with more columns or rows, which are
            taken for end-of-sentence symbols.
        source_starts: whether each source token starts a word.
        target_starts: whether each target token starts a word.
    """
    return link_words(weights, word_numbers(source_starts), word_numbers(target_starts))


def link_words(weights: NDArray[np.floating], sources: Sequence[int], targets: Sequence[int]) -> Links:
    """Link words as :func:`align_words` does, given the number of the word that each token belongs to.

    Args:
        weights: shape (target tokens, source tokens), or with more columns or rows.
        sources: the word of each source token, never falling.
        targets: the word of each target token, never falling.
    """
    if not sources or not targets or not weights.any():
        return []
    columns = np.zeros((len(targets), sources[-1] + 2))
    for token in range(weights.shape[1]):
        column = sources[token] if token < len(sources) else -1
        columns[:, column] += weights[: len(targets), token]
    rows = np.zeros((targets[-1] + 1, columns.shape[1]))
    tokens = np.bincount(targets)
    for token, row in enumerate(targets):
        rows[row] += columns[token] / tokens[row]
    best = zip(rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True)
    return sorted((source, target) for target, (source, most) in enumerate(best) if source <= sources[-1] and most > 0)


def pharaoh(links: Links) -> str:
    """Write links as ``0-0 1-2``."""
    return " ".join(f"{source}-{target}" for source, target in links)


def parse_pharaoh(line: str) -> ReferenceLinks:
    """Read links as ``0-0 1-2``; ``1?2`` or ``1p2`` is possible but not sure.

    Raises:
        ValueError: if something is no link; the message is what stands there.
    """
    sure, possible = set(), set()
    for item in line.split():
        match = _LINK.fullmatch(item)
        if match is None:
            raise ValueError(item)
        link = int(match[1]), int(match[3])
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return ReferenceLinks(sorted(sure), sorted(possible))
