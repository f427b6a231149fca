"""A model over a larger vocabulary, whose probabilities follow from the sentence and the prefix alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache

from lookup_table import BOS, EOS, PAD, Prefix, Table

SPECIAL = (PAD, BOS, EOS)


class WideTable(Table):
    """Log-probabilities over ``size`` tokens, no two alike; ``favorite`` tokens are much more probable."""

    __eq__, __hash__ = object.__eq__, object.__hash__  # two of other sizes are not the same table

    def __init__(self, seed: int, size: int, favorites: Sequence[int] = (), boost: float = 0.0) -> None:
        super().__init__(seed)
        for name, value in {"size": size, "favorites": tuple(favorites), "boost": boost}.items():
            object.__setattr__(self, name, value)

    @cache  # noqa: B019 - lives as long as one test
    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        rng = random.Random(f"{self.seed} {sentence} {prefix}")
        logits = [rng.gauss(0, 2) + self.boost * (token in self.favorites) for token in range(self.size)]
        total = math.log(sum(map(math.exp, logits)))
        return tuple(logit - total for logit in logits)


def holds(tokens: Sequence[int], phrase: Sequence[int], word_starts: Sequence[bool] | None = None) -> bool:
    """Tell whether a phrase is in ``tokens``, and a word starts or nothing is left behind it."""
    tokens, phrase = tuple(tokens), tuple(phrase)
    for begin in range(len(tokens) - len(phrase) + 1):
        end = begin + len(phrase)
        if tokens[begin:end] == phrase and (word_starts is None or end == len(tokens) or word_starts[tokens[end]]):
            return True
    return False
