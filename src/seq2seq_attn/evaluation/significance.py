"""Is one system better than another, or was it luck with these sentences?

Two answers, both from sacreBLEU, both with the sentences of the test set kept in pairs:

- paired bootstrap resampling (Koehn 2004, https://aclanthology.org/W04-3250): would the difference be
  there in other test sets of this kind, drawn from this one with repetition? The p-value is Riezler and
  Maxwell's: how often a resampled difference exceeds the mean of them all by more than the measured one.
- approximate randomization (Riezler and Maxwell 2005, https://aclanthology.org/W05-0908): if it did not
  matter which system wrote which translation, how often would chance give a larger difference?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.metrics.choices import RESAMPLES, MetricOptions, check_seed, higher_is_better
from seq2seq_attn.evaluation.metrics.score import Interval

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric
    from sacrebleu.significance import Result

TRIALS = 10_000
"""Assignments tried by approximate randomization, as many as sacreBLEU's command tries."""

LEVEL = 0.05
"""Below this p-value a difference is called significant."""

PATIENCE = 3.0  # seconds before a bar appears


@dataclass(frozen=True)
class SystemResult:
    """One system's score by one metric, and whether it differs from the baseline's.

    Attributes:
        system: its name.
        score: unrounded.
        interval: 95 % of the bootstrap.
        bootstrap: p-value of paired bootstrap resampling; None for the baseline itself. Once a difference is well
            beyond noise it is that of one side: half of what two sides would have.
        randomization: two-sided p-value of approximate randomization; None for the baseline itself.
    """

    system: str
    score: float
    interval: Interval
    bootstrap: float | None
    randomization: float | None


@dataclass(frozen=True)
class MetricComparison:
    """All systems by one metric; the first is the baseline.

    Attributes:
        name: the metric as sacreBLEU prints it.
        lower_is_better: as for TER.
        bootstrap_signature: of scores, intervals and the first p-value.
        randomization_signature: of the second p-value.
        results: in the order of the systems.
    """

    name: str
    lower_is_better: bool
    bootstrap_signature: str
    randomization_signature: str
    results: list[SystemResult]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def paired_tests(
    systems: Mapping[str, Sequence[str]],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str],
    *,
    options: MetricOptions,
    sources: Sequence[str] | None = None,
    trials: int = TRIALS,
) -> dict[str, MetricComparison]:
    """Compare the first system with each of the others.

    The p-values are sacreBLEU's, with one correction: sacreBLEU counts the outcomes of chance that are
    *larger* than the measured difference, and leaves out those that are as large. Two systems that write
    the same, or differ in one sentence, are then different at p = 0.0001. Here p is 1 for the same
    translations; and if they differ in m sentences, approximate randomization cannot give less than
    2 / 2^m, since all swapped and none swapped give the measured difference itself.

    Args:
        systems: the translations of each, by its name.
        references: one list per set of references.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: how to score; 1000 bootstrap samples unless it says otherwise.
        sources: what was translated; COMET alone reads it.
        trials: of approximate randomization.

    Returns:
        By the name of the metric, in the order asked for.

    Raises:
        UserError: if the seed cannot be used, or there are too few trials.
    """
    from sacrebleu.significance import PairedTest

    from seq2seq_attn.evaluation.metrics.build import build_metric

    check_seed()
    if trials < 1:
        raise UserError(f"approximate randomization needs at least 1 trial, not {trials}; 10000 are usual")
    resamples = options.resamples or RESAMPLES
    named = list(systems.items())
    compared: dict[str, MetricComparison] = {}
    with tqdm(total=2 * len(metrics), desc="testing", unit="test", delay=PATIENCE, disable=None, leave=False) as bar:
        for name in metrics:
            metric = build_metric(name, options, references=references, sources=sources)
            found: dict[str, tuple[str, list[Result]]] = {}
            printed = name
            for kind, samples in (("bs", resamples), ("ar", trials)):
                signatures, scores = PairedTest(named, {name: metric}, None, test_type=kind, n_samples=samples)()
                (printed,) = signatures
                results = [result for result in scores[printed] if not isinstance(result, str)]
                found[kind] = (str(signatures[printed]), results)
                bar.update()
            differing = [_differing(metric, named[0][1], lines) for _, lines in named]
            compared[name] = MetricComparison(
                name=printed,
                lower_is_better=not higher_is_better(name),
                bootstrap_signature=found["bs"][0],
                randomization_signature=found["ar"][0],
                results=[
                    _result(system, first, second, different, resamples)
                    for (system, _), first, second, different in zip(
                        named, found["bs"][1], found["ar"][1], differing, strict=True
                    )
                ],
            )
    return compared


def _differing(metric: Metric, baseline: Sequence[str], lines: Sequence[str]) -> int:
    """Count the sentences in which the metric sees any difference."""
    counted = [metric._extract_corpus_statistics(one, None) for one in (baseline, lines)]  # known by now
    return sum(one != other for one, other in zip(*counted, strict=True))


def _result(system: str, bootstrap: Result, randomization: Result, differing: int, resamples: int) -> SystemResult:
    interval = Interval(float(bootstrap.mean or 0.0), float(bootstrap.ci or 0.0), resamples)
    p_values: tuple[float | None, float | None] = (None, None)
    if bootstrap.p_value is not None and randomization.p_value is not None:
        least = 2.0 ** (1 - differing)  # all swapped and none swapped, of 2 ** differing ways
        p_values = (1.0, 1.0) if not differing else (bootstrap.p_value, max(randomization.p_value, least))
    return SystemResult(system, float(bootstrap.score), interval, *p_values)
