"""Corpus scores by sacreBLEU, each with the signature that makes it comparable.

The only file that imports sacreBLEU. A number without its signature is not a result:
two BLEU scores differ by several points with the tokenizer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from seq2seq_attn.errors import DataError, UserError, did_you_mean

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

METRICS = ("bleu", "chrf", "chrf++", "ter")
"""The metrics that :func:`score_corpus` knows. All run from 0 to 100; TER, an error rate, is better when lower."""

TOKENIZATIONS = ("13a", "none", "intl", "char", "zh")
"""How BLEU splits text into words; ``none`` is for text that is tokenized already."""


@dataclass(frozen=True)
class MetricScore:
    """One metric on one corpus.

    Attributes:
        name: the metric as sacreBLEU prints it, such as ``BLEU`` or ``chrF2++``.
        score: unrounded.
        signature: the settings and the sacreBLEU version that gave the score.
        text: sacreBLEU's own line, with the details of the metric (n-gram precisions, brevity penalty).
    """

    name: str
    score: float
    signature: str
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def score_corpus(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    metrics: Sequence[str] = ("bleu",),
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
) -> dict[str, MetricScore]:
    """Score detokenized translations of a whole corpus.

    Args:
        hypotheses: one line per sentence.
        references: one line per sentence, or several such lists.
        metrics: names from :data:`METRICS`.
        lowercase: ignore case in BLEU and chrF. TER ignores it always, as sacreBLEU does by default.
        tokenize: a name from :data:`TOKENIZATIONS`; BLEU alone uses it.

    Returns:
        The scores by metric name, in the order asked for.

    Raises:
        UserError: for an unknown metric or tokenization.
        DataError: if there is nothing to score, or the line counts differ.
    """
    check_metrics(metrics)
    if tokenize not in TOKENIZATIONS:
        raise UserError(
            f"unknown BLEU tokenization {tokenize!r}{did_you_mean(tokenize, TOKENIZATIONS)} "
            f"(known: {', '.join(TOKENIZATIONS)})"
        )
    several = _as_lists(references)
    _check_counts(hypotheses, several)
    scores: dict[str, MetricScore] = {}
    for name in metrics:
        metric = _build(name, lowercase=lowercase, tokenize=tokenize)
        result = metric.corpus_score(list(hypotheses), several)
        signature = str(metric.get_signature())
        scores[name] = MetricScore(
            name=result.name, score=result.score, signature=signature, text=result.format(signature=signature)
        )
    return scores


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse unknown names, so that a typing error costs nothing before hours of work.

    Raises:
        UserError: naming every unknown metric, the nearest known one, and all that exist.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        wrong = ", ".join(f"{name!r}{did_you_mean(name, METRICS)}" for name in unknown)
        raise UserError(f"unknown metric {wrong} (known: {', '.join(METRICS)})")


def _as_lists(references: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    lines = [reference for reference in references if isinstance(reference, str)]
    if lines or not references:
        return [lines]
    return [list(reference) for reference in references]


def _check_counts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    for number, reference in enumerate(references, start=1):
        if len(reference) != len(hypotheses):
            which = "the references have" if len(references) == 1 else f"reference set {number} has"
            raise DataError(
                f"there are {len(hypotheses)} hypotheses, but {which} {len(reference)} lines; "
                "line i of one must belong to line i of the other"
            )
    if not hypotheses:
        raise DataError("there is nothing to score: the hypotheses and the references are empty")


def _build(name: str, *, lowercase: bool, tokenize: str) -> Metric:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    if name == "bleu":
        # force: our text is what the user gave, so the guess that it "looks tokenized" is only noise
        return BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    if name == "ter":
        return TER()
    return CHRF(word_order=2 if name == "chrf++" else 0, lowercase=lowercase)
