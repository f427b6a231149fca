"""Scores of whole corpora and of single sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seq2seq_attn.errors import DataError
from seq2seq_attn.evaluation.metrics.choices import MetricOptions, check_metrics
from seq2seq_attn.evaluation.metrics.score import Interval, MetricScore

References = Sequence[str] | Sequence[Sequence[str]]

_DECIMALS = 12  # more than matter, so that what sacreBLEU writes is what it computed


def score_corpus(
    hypotheses: Sequence[str],
    references: References,
    metrics: Sequence[str] = ("bleu",),
    *,
    options: MetricOptions | None = None,
    sources: Sequence[str] | None = None,
) -> dict[str, MetricScore]:
    """Score detokenized translations of a whole corpus.

    Args:
        hypotheses: one line per sentence.
        references: one line per sentence, or several such lists.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case, tokenization, intervals; by default those of sacreBLEU's command.
        sources: what was translated; COMET alone reads it.

    Returns:
        The scores by metric name, in the order asked for.

    Raises:
        UserError: for an unknown metric or tokenization, or one that needs what is not installed.
        DataError: if there is nothing to score, or the line counts differ.
    """
    from seq2seq_attn.evaluation.metrics.build import build_metric

    options = options or MetricOptions()
    several = as_lists(references)
    check_metrics(metrics, options, references=len(several), sources=sources is not None)
    check_counts(hypotheses, several, sources)
    scores: dict[str, MetricScore] = {}
    for name in metrics:
        metric = build_metric(name, options, sources=sources)
        try:
            result = metric.corpus_score(list(hypotheses), several, n_bootstrap=max(1, options.resamples))
        except TypeError:
            # sacreBLEU cannot average numbers of two types, which it has where some samples score 0 and others not
            metric = _with_plain_numbers(build_metric(name, options, sources=sources))
            result = metric.corpus_score(list(hypotheses), several, n_bootstrap=max(1, options.resamples))
        signature = str(metric.get_signature())
        interval = None
        if options.resamples:
            # when every resampled corpus scores 0, sacreBLEU leaves the interval out
            found = json.loads(result.format(width=_DECIMALS, signature=signature, is_json=True))
            interval = Interval(
                found.get("confidence_mean", 0.0), found.get("confidence_var", 0.0), resamples=options.resamples
            )
        scores[name] = MetricScore(
            name=result.name,
            score=result.score,
            signature=signature,
            text=result.format(signature=signature),
            interval=interval,
        )
    return scores


def _with_plain_numbers(metric: Any) -> Any:
    """Make every score of a metric a ``float``, whatever numpy made of it."""
    compute = metric._compute_score_from_stats

    def compute_plain(stats: Any) -> Any:
        found = compute(stats)
        found.score = float(found.score)
        return found

    metric._compute_score_from_stats = compute_plain
    return metric


def score_sentences(
    hypotheses: Sequence[str],
    references: References,
    metric: str = "chrf",
    *,
    options: MetricOptions | None = None,
    sources: Sequence[str] | None = None,
) -> list[float]:
    """Score every sentence as a corpus of its own.

    BLEU counts only the n-gram orders that a sentence is long enough for, as sacreBLEU's
    ``--sentence-level`` does. chrF tells single sentences apart better (Popović 2015,
    https://aclanthology.org/W15-3049).

    Args:
        hypotheses: one line per sentence.
        references: one line per sentence, or several such lists.
        metric: a name from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case and tokenization.
        sources: what was translated; COMET alone reads it.

    Raises:
        UserError: for an unknown metric or tokenization, or one that needs what is not installed.
        DataError: if there is nothing to score, or the line counts differ.
    """
    from seq2seq_attn.evaluation.metrics.build import build_metric

    options = options or MetricOptions()
    several = as_lists(references)
    check_metrics([metric], options, references=len(several), sources=sources is not None)
    check_counts(hypotheses, several, sources)
    built = build_metric(metric, options, references=several, sources=sources, one_sentence=True)
    counted = built._extract_corpus_statistics(list(hypotheses), None)
    return [float(built._aggregate_and_compute([one]).score) for one in counted]


def as_lists(references: References) -> list[list[str]]:
    """Return one list per set of references."""
    lines = [reference for reference in references if isinstance(reference, str)]
    if lines or not references:
        return [lines]
    return [list(reference) for reference in references]


def check_counts(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str] | None = None
) -> None:
    """Refuse what does not go together line by line.

    Raises:
        DataError: with both counts; or if there is nothing at all.
    """
    for number, reference in enumerate(references, start=1):
        if len(reference) != len(hypotheses):
            which = "the references have" if len(references) == 1 else f"reference set {number} has"
            raise DataError(
                f"there are {len(hypotheses)} hypotheses, but {which} {len(reference)} lines; "
                "line i of one must belong to line i of the other"
            )
    if sources is not None and len(sources) != len(hypotheses):
        raise DataError(
            f"there are {len(hypotheses)} hypotheses, but {len(sources)} sources; "
            "line i of one must belong to line i of the other"
        )
    if not hypotheses:
        raise DataError("there is nothing to score: the hypotheses and the references are empty")
