"""Systems side by side: scores with tests of significance, and the sentences where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.metrics.choices import MetricOptions, check_metrics, higher_is_better
from seq2seq_attn.evaluation.metrics.corpus import References, as_lists, check_counts, score_sentences
from seq2seq_attn.evaluation.significance import LEVEL, TRIALS, MetricComparison, SystemResult, paired_tests

DIFFERENCES = 10
"""Sentences that are shown."""

_SAME = 1e-9  # scores of one sentence that are nearer are equal


@dataclass(frozen=True)
class Difference:
    """One sentence that two systems translated differently well.

    Attributes:
        number: its line, counted from 1.
        source: what was translated; None when nobody said.
        references: one or more.
        baseline: the first system's translation.
        system: the other one's.
        baseline_score: of the first, by the metric for sentences.
        system_score: of the other.
    """

    number: int
    source: str | None
    references: tuple[str, ...]
    baseline: str
    system: str
    baseline_score: float
    system_score: float


@dataclass(frozen=True)
class SentenceComparison:
    """One system against the baseline, sentence by sentence.

    Attributes:
        system: its name.
        metric: of single sentences.
        wins: sentences that the system translated better than the baseline.
        losses: those that it translated worse.
        ties: those with equal scores.
        differences: those that differ most, the largest difference first.
    """

    system: str
    metric: str
    wins: int
    losses: int
    ties: int
    differences: list[Difference]


@dataclass(frozen=True)
class Comparison:
    """Systems on one test set; the first is the baseline of all others.

    Attributes:
        split: the name of the test set.
        sentences: how many it has.
        systems: their names.
        metrics: scores, intervals and p-values, by the name of the metric.
        by_sentence: one for each system but the baseline.
    """

    split: str
    sentences: int
    systems: list[str]
    metrics: dict[str, MetricComparison]
    by_sentence: list[SentenceComparison]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def compare_systems(
    systems: Mapping[str, Sequence[str]],
    references: References,
    metrics: Sequence[str] = ("bleu",),
    *,
    split: str = "test",
    sources: Sequence[str] | None = None,
    options: MetricOptions | None = None,
    trials: int = TRIALS,
    sentence_metric: str = "chrf",
) -> Comparison:
    """Compare the first system with each of the others.

    Args:
        systems: the translations of each, by its name; line i of all belongs to the same sentence.
        references: one line per sentence, or several such lists.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        split: what the test set is called.
        sources: what was translated; to be shown, and for COMET.
        options: how to score; 1000 bootstrap samples unless it says otherwise.
        trials: of approximate randomization.
        sentence_metric: what single sentences are compared by.

    Raises:
        UserError: for fewer than two systems, or a request that no metric can fulfill.
        DataError: if there is nothing to compare, or the line counts differ.
    """
    options = options or MetricOptions()
    check_comparison(list(systems), [*metrics, sentence_metric], options)
    several = as_lists(references)
    check_metrics([*metrics, sentence_metric], references=len(several), sources=sources is not None)
    lines = {name: list(translations) for name, translations in systems.items()}
    for name, translations in lines.items():
        try:
            check_counts(translations, several, sources)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    tested = paired_tests(lines, several, list(dict.fromkeys(metrics)), options=options, sources=sources, trials=trials)
    scores = {
        name: score_sentences(translations, several, sentence_metric, options=options, sources=sources)
        for name, translations in lines.items()
    }
    first, *others = lines
    by_sentence = []
    for other in others:
        gains = [theirs - ours for ours, theirs in zip(scores[first], scores[other], strict=True)]
        sign = 1 if higher_is_better(sentence_metric) else -1
        wins, losses = (sum(sign * way * gain > _SAME for gain in gains) for way in (1, -1))
        ranked = sorted(range(len(gains)), key=lambda i: (-abs(gains[i]), i))
        differences = [
            Difference(
                number=i + 1,
                source=None if sources is None else sources[i],
                references=tuple(reference[i] for reference in several),
                baseline=lines[first][i],
                system=lines[other][i],
                baseline_score=scores[first][i],
                system_score=scores[other][i],
            )
            for i in ranked[:DIFFERENCES]
            if abs(gains[i]) > _SAME
        ]
        by_sentence.append(
            SentenceComparison(other, sentence_metric, wins, losses, len(gains) - wins - losses, differences)
        )
    return Comparison(split, len(lines[first]), list(lines), tested, by_sentence)


def check_comparison(names: Sequence[str], metrics: Sequence[str], options: MetricOptions) -> None:
    """Refuse a comparison that makes no sense, before any work is done for it.

    Raises:
        UserError: for fewer than two systems, one that is named twice, or a request that no metric can fulfill.
    """
    if len(names) < 2:
        raise UserError("a comparison needs two systems or more; the first one is the baseline")
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise UserError(f"{twice[0]}: named twice; what is compared with itself is always equal")
    check_metrics(metrics, options)


def format_comparison(comparison: Comparison) -> str:
    """Return tables, signatures and sentences for a terminal."""
    lines = [f"{comparison.split}: {comparison.sentences} sentences, compared with {comparison.systems[0]}"]
    for tested in comparison.metrics.values():
        lines += ["", *_table(tested)]
    lines += ["", f"* p < {LEVEL}: a difference from {comparison.systems[0]} that is hardly chance"]
    for found in comparison.by_sentence:
        lines += [
            "",
            f"{found.system}, by {found.metric} of single sentences: better in {found.wins}, worse in {found.losses}, "
            f"equal in {found.ties}",
        ]
        width = max(map(len, ("reference", comparison.systems[0], found.system)))
        for one in found.differences:
            lines += ["", f"line {one.number}: {one.baseline_score:.1f} -> {one.system_score:.1f}"]
            shown = [] if one.source is None else [("source", one.source)]
            shown += [("reference", reference) for reference in one.references]
            shown += [(comparison.systems[0], one.baseline), (found.system, one.system)]
            lines += [f"  {name:<{width}}  {text}".rstrip() for name, text in shown]
    return "\n".join(lines)


def _table(tested: MetricComparison) -> list[str]:
    title = tested.name + (" (lower is better)" if tested.lower_is_better else "")
    decimals = 4 if tested.name == "COMET" else 2
    rows = [["system", title, "95 % interval", "bootstrap p", "randomization p"]]
    for result in tested.results:
        interval = f"{result.interval.mean:.{decimals}f} ± {result.interval.margin:.{decimals}f}"
        rows.append([result.system, f"{result.score:.{decimals}f}", interval, *_p_values(result)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        name, *numbers = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([name.strip().ljust(widths[0]), *numbers]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines.append(f"bootstrap: {tested.name}|{tested.bootstrap_signature}")
    lines.append(f"randomization: {tested.name}|{tested.randomization_signature}")
    return lines


def _p_values(result: SystemResult) -> list[str]:
    values = (result.bootstrap, result.randomization)
    return ["" if p is None else f"{p:.4f}{'*' if p < LEVEL else ' '}" for p in values]
