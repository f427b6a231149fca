"""From the name of a metric to sacreBLEU's class for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from tqdm import tqdm

from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.metrics.choices import MetricOptions

PATIENCE = 3.0  # seconds before a bar appears


class _Shown(Metric):
    """Shows how far it is where counting takes over a few seconds, as TER's search for shifts does.

    What a metric counts in one corpus is kept for as long as that corpus is known to be the same: two
    tests of significance then count once.
    """

    def _extract_corpus_statistics(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | None) -> Any:
        counted: dict[int, tuple[Sequence[str], Any]] = self.__dict__.setdefault("counted", {})
        if references is None and id(hypotheses) in counted:
            return counted[id(hypotheses)][1]
        name = type(self).__name__.removeprefix("_")
        with tqdm(
            total=len(hypotheses), desc=name, unit="sentence", delay=PATIENCE, disable=None, leave=False
        ) as self.bar:
            found = super()._extract_corpus_statistics(hypotheses, references)
        if references is None:  # they are the metric's own, and cannot change
            counted[id(hypotheses)] = (hypotheses, found)
        return found

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[Any]:
        found = super()._compute_segment_statistics(hypothesis, ref_kwargs)  # type: ignore[safe-super]
        self.bar.update()
        return found


class _BLEU(_Shown, BLEU):
    pass


class _CHRF(_Shown, CHRF):
    pass


class _TER(_Shown, TER):
    pass


def build_metric(
    name: str,
    options: MetricOptions,
    *,
    references: Sequence[Sequence[str]] | None = None,
    sources: Sequence[str] | None = None,
    one_sentence: bool = False,
) -> Metric:
    """Build a metric, with its references if they stay the same.

    Args:
        name: from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: how to score.
        references: one list per set of references, each a line per sentence.
        sources: what was translated; COMET alone reads it.
        one_sentence: for BLEU of single sentences, which may be shorter than four words: of
            the n-gram orders, only those count that the sentence is long enough for.

    Raises:
        UserError: if something that the metric needs is not installed.
    """
    if name == "bleu":
        try:
            return _BLEU(
                lowercase=options.lowercase,
                tokenize=options.tokenize,
                # our text is what the user gave, so the guess that it "looks tokenized" is only noise
                force=True,
                effective_order=one_sentence,
                references=references,
            )
        except (ImportError, RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"BLEU's tokenization {options.tokenize!r} cannot be used here: {reason}") from error
    if name == "ter":
        return _TER(references=references)
    if name == "comet":
        from seq2seq_attn.evaluation.metrics.comet import Comet

        return Comet(options.comet_model, sources=sources or (), references=references)
    return _CHRF(word_order=2 if name == "chrf++" else 0, lowercase=options.lowercase, references=references)
