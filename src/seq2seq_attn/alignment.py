"""From attention weights over tokens to links between words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Links = list[tuple[int, int]]
"""Pairs of (source word, target word), counted from 0, sorted."""


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
    sources, targets = word_numbers(source_starts), word_numbers(target_starts)
    if not sources or not targets or not weights.any():
        return []
    columns = np.zeros((len(targets), sources[-1] + 2))
    for token in range(weights.shape[1]):
        column = sources[token] if token < len(sources) else -1
        columns[:, column] += weights[: len(targets), token]
    rows = np.zeros((targets[-1] + 1, columns.shape[1]))
    for token, row in enumerate(targets):
        rows[row] += columns[token] / targets.count(row)
    best = rows.argmax(axis=1)
    return sorted((int(source), target) for target, source in enumerate(best) if source <= sources[-1])


def pharaoh(links: Links) -> str:
    """Write links as ``0-0 1-2``."""
    return " ".join(f"{source}-{target}" for source, target in links)
