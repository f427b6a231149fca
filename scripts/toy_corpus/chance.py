"""Seeded choices that give the same corpus with every Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Chance:
    """Makes every choice from `random.Random.random()` alone.

    The other methods of `random.Random` may change what they draw from one Python version to the next;
    `random()` may not (the standard library promises it).
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def happens(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random.random() < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """Pick one item, all equally likely."""
        return items[int(self._random.random() * len(items))]

    def weighted(self, items: Sequence[tuple[Item, float]]) -> Item:
        """Pick one item of (item, weight) pairs."""
        point = self._random.random() * sum(weight for _, weight in items)
        for item, weight in items:
            point -= weight
            if point < 0:
                return item
        return items[-1][0]
