"""All that was measured for one reproduction, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from .corpora import Corpus
from .outcome import BLEU, Outcome
from .speeds import SpeedPoint


@dataclass(frozen=True)
class Judged:
    """What was translated, and how it should have been."""

    sources: Sequence[str]
    references: Sequence[str]


@dataclass(frozen=True)
class Results:
    """The outcomes of all variants and seeds.

    Attributes:
        corpus: that all models learned from.
        variants: names, in the order in which they are shown.
        seeds: that every variant was trained from.
        outcomes: by variant and seed.
        tests: the test sets by name.
        speeds: of models of several sizes at several lengths, where that was measured.
    """

    corpus: Corpus
    variants: Sequence[str]
    seeds: Sequence[int]
    outcomes: Mapping[tuple[str, int], Outcome]
    tests: Mapping[str, Judged] = field(default_factory=dict)
    speeds: Sequence[SpeedPoint] = ()

    @property
    def main(self) -> str:
        """The test set that claims are about."""
        return self.corpus.tests[0]

    def values(self, variant: str, what: str, split: str | None = None) -> list[float]:
        """Return a number of each seed; none where it was not measured for every one of them."""
        found = [self.outcomes[variant, seed].scores.get(what, {}).get(split or self.main) for seed in self.seeds]
        there = [one for one in found if one is not None]
        return there if len(there) == len(found) else []

    def mean(self, variant: str, what: str, split: str | None = None) -> float | None:
        """Return the mean over the seeds, None where there is nothing."""
        found = self.values(variant, what, split)
        return mean(found) if found else None

    def shown(self, variant: str, what: str, split: str | None = None, *, digits: int = 1) -> str:
        """Return mean and standard deviation as a cell of a table."""
        return shown(self.values(variant, what, split), digits)

    def measured(self, what: str) -> bool:
        """Whether any variant has this number."""
        return any(self.values(variant, what) for variant in self.variants)

    def hypotheses(self, variant: str, seed: int, splits: Sequence[str] | None = None) -> list[str]:
        """Return the translations of several test sets, one behind the other."""
        outcome = self.outcomes[variant, seed]
        return [line for split in splits or (self.main,) for line in outcome.hypotheses[split]]

    def sources(self, splits: Sequence[str] | None = None) -> list[str]:
        """Return the sentences of several test sets, one behind the other."""
        return [line for split in splits or (self.main,) for line in self.tests[split].sources]

    def references(self, splits: Sequence[str] | None = None) -> list[str]:
        """Return their translations."""
        return [line for split in splits or (self.main,) for line in self.tests[split].references]

    @property
    def signature(self) -> str:
        """Of sacreBLEU."""
        return next((one.signature for one in self.outcomes.values() if BLEU in one.scores), "")


def shown(values: Sequence[float], digits: int = 1) -> str:
    """Write numbers of several seeds as one cell: their mean and, of two or more, how far they spread."""
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"
