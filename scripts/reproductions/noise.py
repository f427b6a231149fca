"""Is one variant better than another here, or would other sentences or another seed have turned it round?

One seed: the BLEU of two variants differs if approximate randomization over the sentences says so (p < 0.05, on both
sides). Of all other numbers one seed does not tell the noise, so nothing is decided. Several seeds: a difference has to
be beyond the 95 % of Student's t over the seeds, each seed compared with itself; and for BLEU randomization has to
agree, by the median of its p over the seeds. Not over the translations of all seeds together: they are of the
same sentences, so more seeds make no larger test set. Where no model has come to one BLEU, nothing is decided: which of
two that have learned nothing is better says nothing of what they would learn.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median, stdev

from seq2seq_attn.evaluation.metrics import MetricOptions
from seq2seq_attn.evaluation.significance import LEVEL, paired_tests

from .claims import Claim, Finding, Verdict, all_of
from .outcome import BLEU, LOWER_IS_BETTER
from .results import Results

_STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31}
"""97.5 % quantiles of Student's t, by the number of seeds, which is its degrees of freedom and one more."""
_STUDENT_OF_MORE = 2.26

LEAST = 1.0
"""BLEU that one of two variants has to have before they are compared."""

NAMES = {BLEU: "BLEU"}
ONLY = MetricOptions(resamples=2)  # the bootstrap is not looked at


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
        text += f" (standard error of the difference {standard_error(gains):.2f}"
        decided = abs(mean(gains)) > noise_over_seeds(gains)
    elif what == BLEU:
        text, decided = text + " (", True
    else:
        return Verdict(Finding.NOT_DECIDED, f"{text} (one seed does not tell the noise)")
    if what == BLEU:
        p = randomization(results, first, second)
        text += f"{', ' if len(gains) > 1 else ''}{f'p = {p:.3f}' if p >= 0.001 else 'p < 0.001'}"
        decided = decided and p < LEVEL
    if not decided:
        return Verdict(Finding.NOT_DECIDED, f"{text})")
    return Verdict(Finding.HELD if mean(gains) > 0 else Finding.NOT_HELD, f"{text})")


def standard_error(values: Sequence[float]) -> float:
    """Return how far the mean of a few numbers may be off; 0 for one alone, which does not tell."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def noise_over_seeds(differences: Sequence[float]) -> float:
    """Return the size up to which the mean of differences, one for each seed, may be chance; 0 for one alone."""
    return _STUDENT.get(len(differences), _STUDENT_OF_MORE) * standard_error(differences)


def randomization(results: Results, first: str, second: str) -> float:
    """Return the p-value of the BLEU of two variants, the median over the seeds."""
    references = tuple(results.references())
    return median(
        _randomization(*(tuple(results.hypotheses(name, seed)) for name in (second, first)), references)
        for seed in results.seeds
    )


@functools.lru_cache(maxsize=256)
def _randomization(baseline: tuple[str, ...], system: tuple[str, ...], references: tuple[str, ...]) -> float:
    tested = paired_tests({"baseline": baseline, "system": system}, [list(references)], ["bleu"], options=ONLY)
    p = tested["bleu"].results[1].randomization
    return 1.0 if p is None else p
