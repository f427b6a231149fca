"""Is one variant better than another here, or would other sentences or another seed have turned it round?

One seed: the BLEU of two variants differs if paired bootstrap resampling of the sentences says so (p < 0.05). Of all
other numbers one seed does not tell the noise, so nothing is decided. Several seeds: a difference has to be more
than twice its standard error over the seeds, each seed compared with itself; and for BLEU the bootstrap, over the
translations of all seeds together, has to agree. Where no model has come to one BLEU, nothing is decided: which of
two that have learned nothing is better says nothing of what they would learn.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev

from seq2seq_attn.evaluation.metrics import MetricOptions
from seq2seq_attn.evaluation.significance import LEVEL, paired_tests

from .claims import Claim, Finding, Verdict, all_of
from .outcome import BLEU, LOWER_IS_BETTER
from .results import Results

ERRORS = 2.0
"""Standard errors that a difference over seeds has to exceed."""

LEAST = 1.0
"""BLEU that one of two variants has to have before they are compared."""

NAMES = {BLEU: "BLEU"}


def better(text: str, source: str, first: str, others: Sequence[str], what: str = BLEU) -> Claim:
    """Claim that one variant has a better number than each of the others."""

    def check(results: Results) -> Verdict:
        return all_of([compare(results, first, other, what) for other in others])

    return Claim(text, source, check, about=(first, *others))


def less(text: str, source: str, order: Sequence[str], what: str) -> Claim:
    """Claim that each variant has less of something, good or bad, than the one before it."""

    def check(results: Results) -> Verdict:
        return all_of([compare(results, low, high, what, lower=True) for high, low in pairwise(order)])

    return Claim(text, source, check, about=tuple(order))


def compare(results: Results, first: str, second: str, what: str = BLEU, *, lower: bool | None = None) -> Verdict:
    """Judge whether ``first`` is better than ``second``.

    Args:
        results: all numbers.
        first: a variant.
        second: another one.
        what: is compared, on the main test set.
        lower: whether less is better; None: as is known of it.
    """
    ours, theirs = results.values(first, what), results.values(second, what)
    if not (ours and theirs):
        return Verdict(Finding.NOT_DECIDED, f"no {what} of {first if not ours else second}")
    sign = -1 if (what in LOWER_IS_BETTER if lower is None else lower) else 1
    gains = [sign * (one - other) for one, other in zip(ours, theirs, strict=True)]
    text = f"{first} {mean(ours):.2f}, {second} {mean(theirs):.2f} {NAMES.get(what, what)}"
    if what == BLEU and max(mean(ours), mean(theirs)) < LEAST:
        return Verdict(Finding.NOT_DECIDED, f"{text} (neither has learned to translate)")
    if len(gains) > 1:
        error = standard_error(gains)
        text += f" (standard error of the difference {error:.2f}"
        decided = abs(mean(gains)) > ERRORS * error
    elif what == BLEU:
        text, decided = text + " (", True
    else:
        return Verdict(Finding.NOT_DECIDED, f"{text} (one seed does not tell the noise)")
    if what == BLEU:
        p = bootstrap(results, first, second)
        text += f"{', ' if len(gains) > 1 else ''}bootstrap p = {p:.3f}"
        decided = decided and p < LEVEL
    if not decided:
        return Verdict(Finding.NOT_DECIDED, f"{text})")
    return Verdict(Finding.HELD if mean(gains) > 0 else Finding.NOT_HELD, f"{text})")


def standard_error(values: Sequence[float]) -> float:
    """Return how far the mean of a few numbers may be off; 0 for one alone, which does not tell."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def bootstrap(results: Results, first: str, second: str) -> float:
    """Return the p-value of the BLEU of two variants, over the translations of all seeds."""
    references = results.references() * len(results.seeds)
    systems = [
        tuple(line for seed in results.seeds for line in results.hypotheses(name, seed)) for name in (second, first)
    ]
    return _bootstrap(*systems, tuple(references))


@functools.lru_cache(maxsize=256)
def _bootstrap(baseline: tuple[str, ...], system: tuple[str, ...], references: tuple[str, ...]) -> float:
    # one trial: the other test, which takes its time, is not looked at
    tested = paired_tests(
        {"baseline": baseline, "system": system}, [list(references)], ["bleu"], options=MetricOptions(), trials=1
    )
    p = tested["bleu"].results[1].bootstrap
    return 1.0 if p is None else p
