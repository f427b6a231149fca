"""What there is to choose: metrics, how BLEU splits words, how sure a score is to be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_attn.errors import UserError, did_you_mean

METRICS = ("bleu", "chrf", "chrf++", "ter", "comet")
"""The metrics that :func:`~seq2seq_attn.evaluation.metrics.score_corpus` knows.

All but ``comet`` run from 0 to 100. TER, an error rate, is better when lower. COMET is about 0 to 1.
"""

LOWER_IS_BETTER = frozenset({"ter", "loss", "perplexity", "alignment_error_rate"})
"""Of all numbers that a model is judged by, here and in validation, those that are errors."""

TOKENIZATIONS = ("13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "flores101", "flores200", "none")
"""How BLEU splits text into words; ``none`` is for text that is tokenized already.

``ja-mecab`` and ``ko-mecab`` need a package, ``flores101`` and ``flores200`` fetch a model when first used.
"""

RESAMPLES = 1000
"""Bootstrap samples of an interval, as many as sacreBLEU's command draws."""

COMET_MODEL = "Unbabel/wmt22-comet-da"

SEED_VARIABLE = "SACREBLEU_SEED"  # where sacreBLEU takes the seed of its random numbers from


def higher_is_better(metric: str) -> bool:
    """Tell whether a model with more of ``metric`` is the better one."""
    return metric not in LOWER_IS_BETTER


@dataclass(frozen=True)
class MetricOptions:
    """How to score.

    Attributes:
        lowercase: ignore case in BLEU and chrF. TER ignores it always, as sacreBLEU does by default.
        tokenize: a name from :data:`TOKENIZATIONS`; BLEU alone uses it.
        resamples: bootstrap samples for a 95 % interval; 0 for none.
        comet_model: which model COMET is, or the path of its checkpoint.
    """

    lowercase: bool = False
    tokenize: str = "13a"
    resamples: int = 0
    comet_model: str = COMET_MODEL


def check_metrics(
    metrics: Sequence[str], options: MetricOptions | None = None, *, references: int = 1, sources: bool = True
) -> None:
    """Refuse what cannot be scored, so that a typing error costs nothing before hours of work.

    Args:
        metrics: names from :data:`METRICS`.
        options: how to score, if that is to be checked, too.
        references: how many there are per sentence.
        sources: whether the source sentences are known.

    Raises:
        UserError: naming every unknown metric, the nearest known one, and all that exist; for options
            that make no sense; for a library that is not installed.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        wrong = ", ".join(f"{name!r}{did_you_mean(name, METRICS)}" for name in unknown)
        raise UserError(f"unknown metric {wrong} (known: {', '.join(METRICS)})")
    if not metrics:
        raise UserError(f"no metric to score with; name one (known: {', '.join(METRICS)})")
    if "comet" in metrics:
        _check_comet(references, sources)
    if options is not None:
        _check_options(metrics, options)


def _check_comet(references: int, sources: bool) -> None:
    from seq2seq_attn.evaluation.metrics.comet import import_comet

    if not sources:
        raise UserError("COMET reads the source sentences, too; name their file, or leave out the metric 'comet'")
    if references != 1:
        raise UserError(
            f"COMET compares with one reference per sentence, but there are {references}; "
            "score with each on its own, or leave out the metric 'comet'"
        )
    import_comet()


def _check_options(metrics: Sequence[str], options: MetricOptions) -> None:
    if options.tokenize not in TOKENIZATIONS:
        raise UserError(
            f"unknown BLEU tokenization {options.tokenize!r}{did_you_mean(options.tokenize, TOKENIZATIONS)} "
            f"(known: {', '.join(TOKENIZATIONS)})"
        )
    if options.resamples < 0 or options.resamples == 1:
        raise UserError(f"an interval needs at least 2 bootstrap samples, not {options.resamples}; 1000 are usual")
    check_seed()
    if "bleu" in metrics:
        from seq2seq_attn.evaluation.metrics.build import build_metric

        build_metric("bleu", options)  # a tokenization may need what is not installed


def check_seed() -> None:
    """Refuse a seed that sacreBLEU could not read.

    Raises:
        UserError: if the environment variable holds neither a whole number above 0 nor ``none``. (0 is no seed
            for sacreBLEU's tests of significance, whatever their signature says.)
    """
    seed = os.environ.get(SEED_VARIABLE, "none")
    if seed.lower() != "none" and not (seed.isdecimal() and int(seed)):
        raise UserError(
            f"the environment variable {SEED_VARIABLE} is {seed!r}; set it to a whole number above 0, or unset it"
        )
