"""Minimum Bayes risk: the candidate that agrees best with all the others.

The most probable translation is often an odd one: short, or copied. What a model says of a sentence as a whole
is in its distribution, and the candidate that is nearest to everything in it is a safer choice. Kumar and Byrne
(2004), https://aclanthology.org/N04-1022, rank an n-best list so; Eikema and Aziz (2020),
https://arxiv.org/abs/2005.10283, samples; Freitag et al. (2022), https://arxiv.org/abs/2111.09388,
ask which utility to use.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seq2seq_attn.errors import DataError, UserError, did_you_mean

UTILITIES = ("chrf", "bleu")
"""What :func:`minimum_bayes_risk` can rank by: sacreBLEU's scores of a sentence, from 0 to 100."""

_CHARACTER_ORDERS = 6
_BETA_SQUARED = 4  # recall counts twice as much as precision: chrF2, sacreBLEU's default
_WORD_ORDERS = 4


class _Matches(NamedTuple):
    """How many n-grams the texts have, and how many of them each pair shares."""

    counts: Int[np.ndarray, "orders texts"]
    shared: Float[np.ndarray, "orders texts texts"]


def minimum_bayes_risk(
    candidates: Sequence[str],
    *,
    utility: str = "chrf",
    weights: Sequence[float] | None = None,
) -> list[float]:
    """Return the expected utility of each candidate, 0 to 100; the best one has the highest.

    The expectation is over the candidates themselves, as if each in turn were the reference, the judged one
    included: it was as likely as the others. Candidates that are equal count as often as they are there. Equal
    utilities are exactly equal, so ``utilities.index(max(utilities))`` is the earlier of two that tie.

    Args:
        candidates: translations of one sentence: samples, or an n-best list.
        utility: ``chrf`` or ``bleu``, as sacreBLEU scores a single sentence (BLEU with effective order).
        weights: how much each counts as a reference, in any unit, such as probabilities for an n-best list; samples
            count equally.

    Raises:
        UserError: for an unknown utility.
        DataError: if there are no candidates, or the weights do not fit them.
    """
    if utility not in UTILITIES:
        raise UserError(
            f"unknown utility {utility!r}{did_you_mean(utility, UTILITIES)} (known: {', '.join(UTILITIES)})"
        )
    if not candidates:
        raise DataError("there is nothing to choose from: the list of candidates is empty")
    masses = _checked_weights(weights, len(candidates))
    texts = list(dict.fromkeys(candidates))
    place = {text: number for number, text in enumerate(texts)}
    shares: list[list[float]] = [[] for _ in texts]
    for text, mass in zip(candidates, masses, strict=True):
        shares[place[text]].append(mass)
    scores = _bleu(texts) if utility == "bleu" else _chrf(texts)
    weighted = scores * np.array([math.fsum(share) for share in shares])
    # fsum: a sum that does not depend on the order of its terms, so that ties are ties.
    expected = [math.fsum(row) / math.fsum(masses) for row in weighted.tolist()]
    return [expected[place[text]] for text in candidates]


def _checked_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    if weights is None:
        return [1.0] * count
    if len(weights) != count:
        raise DataError(f"there are {count} candidates, but {len(weights)} weights; give one to each")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise DataError("the weights of candidates must be finite numbers of at least 0, and not all of them 0")
    return [float(weight) for weight in weights]


def _matches(texts: Sequence[Sequence[Sequence[Hashable]]], orders: int) -> _Matches:
    """Count n-grams, those of each order apart; ``texts`` has for every text and order its n-grams.

    Two texts share the smaller of their counts of an n-gram. The first, the second and every further occurrence
    of an n-gram stand for themselves here: each is there or not, and what two texts share is a scalar product.
    """
    counts = np.zeros((orders, len(texts)), dtype=np.int64)
    shared = np.zeros((orders, len(texts), len(texts)))
    for order in range(orders):
        column: dict[tuple[Hashable, int], int] = {}
        found: list[list[int]] = []
        for number, text in enumerate(texts):
            seen: Counter[Hashable] = Counter()
            mine = []
            for gram in text[order]:
                mine.append(column.setdefault((gram, seen[gram]), len(column)))
                seen[gram] += 1
            counts[order, number] = len(mine)
            found.append(mine)
        # Whole numbers below 2**24 are exact in float32, which is the faster product.
        present = np.zeros((len(texts), len(column)), dtype=np.float32)
        for number, mine in enumerate(found):
            present[number, mine] = 1
        shared[order] = present @ present.T
    return _Matches(counts, shared)


def _chrf(texts: Sequence[str]) -> Float[np.ndarray, "texts texts"]:
    """Return chrF of every text (row) with every text as its reference (column).

    Popović (2015), https://aclanthology.org/W15-3049, as sacreBLEU computes it: precision and recall are means
    over those orders that both texts are long enough for, and spaces do not count.
    """
    letters = ["".join(text.split()) for text in texts]
    orders = range(1, _CHARACTER_ORDERS + 1)
    grams = [[[text[i : i + n] for i in range(len(text) - n + 1)] for n in orders] for text in letters]
    counts, shared = _matches(grams, _CHARACTER_ORDERS)
    ours, theirs = counts[:, :, None], counts[:, None, :]
    both = (ours > 0) & (theirs > 0)
    num_orders = np.maximum(both.sum(axis=0), 1)
    precision = (shared / np.maximum(ours, 1)).sum(axis=0) / num_orders  # nothing is shared where an order is missing
    recall = (shared / np.maximum(theirs, 1)).sum(axis=0) / num_orders
    divisor = _BETA_SQUARED * precision + recall
    return 100 * (1 + _BETA_SQUARED) * precision * recall / np.where(divisor > 0, divisor, 1.0)


def _bleu(texts: Sequence[str]) -> Float[np.ndarray, "texts texts"]:
    """Return the BLEU of every text (row) with every text as its reference (column).

    Papineni et al. (2002), https://aclanthology.org/P02-1040, for single sentences as sacreBLEU computes it:
    orders the text is too short for are left out, and the k-th order without a match has precision 1 / (2^k total)
    (Chen and Cherry 2014, method 3, https://aclanthology.org/W14-3346).
    """
    tokenize = _words()
    words = [tokenize(text.rstrip()).split() for text in texts]
    orders = range(1, _WORD_ORDERS + 1)
    grams = [[[tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for n in orders] for text in words]
    counts, shared = _matches(grams, _WORD_ORDERS)
    totals = counts[:, :, None]
    present = totals > 0
    missed = present & (shared == 0)
    smoothing = 2.0 ** np.cumsum(missed, axis=0)
    precision = np.where(missed, 1 / smoothing, shared) / np.maximum(totals, 1)
    logs = np.log(precision, where=present, out=np.zeros_like(precision)).sum(axis=0)
    num_orders = np.maximum(present.sum(axis=0), 1)
    lengths = np.array([len(text) for text in words], dtype=np.float64)
    ours, theirs = np.maximum(lengths[:, None], 1), lengths[None, :]
    brevity = np.exp(np.minimum(1 - theirs / ours, 0))
    return np.where(shared[0] > 0, 100 * brevity * np.exp(logs / num_orders), 0.0)


@cache
def _words() -> Callable[[str], str]:
    """Return what puts spaces between the words of a text: BLEU's standard tokenization."""
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize="13a").tokenizer
