"""One test set, judged in every way: what a report writes and says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_attn.evaluation.by_length import LengthBucket
from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.evaluation.diagnostics import MeanDiagnostics, diagnose, mean_diagnostics
from seq2seq_attn.evaluation.metrics import score_sentences
from seq2seq_attn.experiment.evaluate import Evaluation
from seq2seq_attn.files import write_atomic
from seq2seq_attn.translation import Translation
from seq2seq_attn.visualization.by_length import plot_by_length
from seq2seq_attn.visualization.page_attention import LARGEST
from seq2seq_attn.visualization.page_report import Sentence, SplitPage
from seq2seq_attn.visualization.reliability import draw_reliability

Look = Callable[[Translation], Mapping[str, Any]]
"""Makes the attention document of a translation."""

SENTENCE_METRIC = "chrf"  # tells single sentences apart better than BLEU does (Popović 2015)

SAMPLES = 6
RANKED = 10  # best and worst sentences


@dataclass(frozen=True)
class SetReport:
    """One test set, judged in every way."""

    evaluation: Evaluation
    buckets: list[LengthBucket]
    sentence_scores: list[float]
    diagnostics: MeanDiagnostics | None
    calibration: Calibration | None
    look: Look | None = None

    @classmethod
    def of(cls, evaluation: Evaluation, calibration: Calibration | None, look: Look | None = None) -> SetReport:
        """Judge what was translated by length, sentence by sentence, and by where the model looked."""
        judged, options = evaluation.judged, replace(evaluation.options, resamples=0)
        buckets = [] if judged.sources is None else evaluation.by_length()
        attended = [one.attention for one in evaluation.translations if one.attention.any()]
        return cls(
            evaluation,
            buckets,
            score_sentences(evaluation.hypotheses, judged.references, SENTENCE_METRIC, options=options),
            mean_diagnostics(map(diagnose, attended)) if attended else None,
            calibration,
            look,
        )

    def files(self) -> list[str]:
        """Name the files that :meth:`write` writes."""
        split = self.evaluation.split
        plots = [f"{split}-by-length-{name}.svg" for name in (self.buckets[0].scores if self.buckets else ())]
        return [f"{split}.hyp", *plots, *([] if self.calibration is None else [f"{split}-reliability.svg"])]

    def to_dict(self) -> dict[str, object]:
        """Return all scores as plain values, ready for JSON."""
        return {
            **self.evaluation.to_dict(),
            "by_length": [bucket.to_dict() for bucket in self.buckets],
            "sentences_by_metric": {SENTENCE_METRIC: self.sentence_scores},
            "attention": None if self.diagnostics is None else self.diagnostics.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
        }

    def write(self, folder: Path, languages: tuple[str, str]) -> SplitPage:
        """Write the hypotheses and the plots; return what the page says of them."""
        evaluation = self.evaluation
        lines = (" ".join(line.splitlines()) + "\n" for line in evaluation.hypotheses)
        write_atomic(folder / f"{evaluation.split}.hyp", "".join(lines))
        plots = {}
        for name in self.buckets[0].scores if self.buckets else ():
            path = folder / f"{evaluation.split}-by-length-{name}.svg"
            plot_by_length({evaluation.split: self.buckets}, path, metric=name)
            plots[f"{self.buckets[0].scores[name].name} by source length"] = path.read_bytes()
        reliability = None
        if self.calibration is not None:
            path = folder / f"{evaluation.split}-reliability.svg"
            draw_reliability(self.calibration, path)
            reliability = path.read_bytes()
        samples, best, worst = self._choose()
        return SplitPage(
            name=evaluation.split,
            facts=self._facts(),
            scores=list(evaluation.scores.values()),
            buckets=self.buckets,
            length_plots=plots,
            sentence_metric="chrF",
            samples=samples,
            best=best,
            worst=worst,
            diagnostics=self.diagnostics,
            calibration=self.calibration,
            reliability=reliability,
            languages=languages,
        )

    def _facts(self) -> dict[str, str]:
        facts = {"sentences": f"{len(self.evaluation.pairs):,}"}
        if len(self.evaluation.judged.references) > 1:
            facts["references"] = str(len(self.evaluation.judged.references))
        if self.evaluation.decoding is not None:
            facts["beam size"] = str(self.evaluation.decoding.beam_size)
        translations = self.evaluation.translations
        cut = sum(not one.finished for one in translations)
        if cut:
            facts["ended by the length limit"] = f"{cut:,}"
        empty = sum(not line.strip() for line in self.evaluation.hypotheses)
        if empty:
            facts["empty translations"] = f"{empty:,}"
        return facts

    def _choose(self) -> tuple[list[Sentence], list[Sentence], list[Sentence]]:
        """Return samples, evenly spread over the lengths, then the best and the worst sentences."""
        total = len(self.sentence_scores)
        by_length = sorted(range(total), key=lambda number: len(self.evaluation.pairs[number].source))
        by_length = [number for number in by_length if self._is_readable(number)] or by_length
        wanted = min(SAMPLES, len(by_length))
        samples = [by_length[(2 * place + 1) * len(by_length) // (2 * wanted)] for place in range(wanted)]
        # among equal ones the longer: it says more
        ranked = sorted(range(total), key=lambda n: (self.sentence_scores[n], -len(self.evaluation.hypotheses[n])))
        count = min(RANKED, total // 2)
        worst = [number for number in ranked[:count] if self.sentence_scores[number] < 100]
        best = sorted(ranked[total - count :], key=lambda n: (-self.sentence_scores[n], ranked.index(n)))
        return self._sentences(samples), self._sentences(best), self._sentences(worst)

    def _sentences(self, numbers: Sequence[int]) -> list[Sentence]:
        return [self._sentence(number) for number in numbers]

    def _is_readable(self, number: int) -> bool:
        if not self.evaluation.translations:
            return True
        return 0 < max(self.evaluation.translations[number].attention.shape) <= LARGEST // 2

    def _sentence(self, number: int) -> Sentence:
        evaluation = self.evaluation
        found = evaluation.translations[number] if evaluation.translations else None
        remarks = []
        if found is not None and not found.finished:
            remarks.append("The length limit ended this translation.")
        if found is not None and found.truncated:
            remarks.append("The source was longer than a model reads; the rest was left out.")
        return Sentence(
            line=number + 1,
            source=evaluation.pairs[number].source if evaluation.judged.has_sources else None,
            hypothesis=evaluation.hypotheses[number],
            references=[references[number] for references in evaluation.judged.references],
            score=self.sentence_scores[number],
            weights=np.zeros((0, 0)) if found is None else found.attention,
            source_tokens=() if found is None else found.source_tokens,
            tokens=() if found is None else found.tokens,
            remark=" ".join(remarks),
            document=None if self.look is None or found is None or not found.tokens else self.look(found),
        )
