"""A folder that says how good translations are: hypotheses, scores, plots, and one page of HTML with all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seq2seq_attn.checkpoint.folders import find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import count_parameters, read_info
from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.by_length import LengthBucket
from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.evaluation.diagnostics import MeanDiagnostics, diagnose, mean_diagnostics
from seq2seq_attn.evaluation.metrics import score_sentences
from seq2seq_attn.experiment.calibrate import calibrate
from seq2seq_attn.experiment.evaluate import Evaluation
from seq2seq_attn.files import check_folder, write_atomic
from seq2seq_attn.translation import Translator
from seq2seq_attn.translation.members import split_runs
from seq2seq_attn.visualization.by_length import plot_by_length
from seq2seq_attn.visualization.page import check_plots
from seq2seq_attn.visualization.page_attention import LARGEST
from seq2seq_attn.visualization.page_report import Sentence, SplitPage, report_page
from seq2seq_attn.visualization.reliability import draw_reliability

PAGE = "report.html"
SCORES = "scores.json"
SENTENCE_METRIC = "chrf"  # tells single sentences apart better than BLEU does (Popović 2015)

SAMPLES = 6
RANKED = 10  # best and worst sentences

_FORMAT = "seq2seq_attn report 1"


@dataclass(frozen=True)
class ReportSubject:
    """What a report is about.

    Attributes:
        title: of the page.
        facts: what is worth knowing of the system, by name.
        languages: of source and target, empty where they are not known.
        calibrations: how sure the model is, by the name of the test set.
    """

    title: str
    facts: Mapping[str, str]
    languages: tuple[str, str] = ("", "")
    calibrations: Mapping[str, Calibration] | None = None


def check_report(folder: Path, splits: Sequence[str], metrics: Sequence[str]) -> None:
    """See to it that a report can be written, before anything is translated for it.

    An older report is replaced. Other files in the folder stay as they are, and are never written over.

    Raises:
        UserError: if ``folder`` is a file, cannot be written, or holds a file of ours that no report wrote.
        MissingExtra: if plots cannot be drawn.
    """
    check_plots()
    check_folder(folder, "a report", option="--report")
    ours = set(_written_by_us(folder))
    for name in _names(splits, metrics):
        if (folder / name).exists() and name not in ours:
            raise UserError(
                f"{folder / name}: is there already, and no report wrote it; "
                "name another folder with --report, or move this file away"
            )


def report_run(folder: Path, run: str | None, evaluations: Sequence[Evaluation], *, device: str = "auto") -> Path:
    """Write the report of what a run, an ensemble or a file of translations scored; see :func:`write_report`.

    Args:
        folder: the report's folder.
        run: as the command line has it: a folder, or several with commas between them; None for a file.
        evaluations: of its test sets.
        device: that the calibration is computed on; an ensemble has none.
    """
    if run is None:
        return write_report(folder, evaluations, ReportSubject("ready translations", {}))
    members = split_runs(run)
    if len(members) > 1:
        names = ", ".join(map(str, members))
        return write_report(folder, evaluations, ReportSubject("ensemble", {"runs": names}))
    home, checkpoint = find_checkpoint(members[0])
    config = read_run_config(home)
    languages = (config.data.source_language, config.data.target_language)
    facts = {
        "languages": f"{languages[0]} → {languages[1]}",
        "model": config.model.architecture,
        "attention": describe_attention(config.model),
        "parameters": f"{count_parameters(checkpoint):,}",
        "checkpoint": f"{checkpoint.name}, epoch {read_info(checkpoint).epoch}",
    }
    translator = Translator.load(checkpoint, device=device)
    calibrations = {
        one.split: calibrate(translator, one.pairs)
        for one in evaluations
        if any(pair.source.strip() and pair.target.strip() for pair in one.pairs)
    }
    return write_report(folder, evaluations, ReportSubject(config.name, facts, languages, calibrations))


def write_report(folder: Path, evaluations: Sequence[Evaluation], subject: ReportSubject) -> Path:
    """Write hypotheses, scores, plots and the page; return the page.

    Raises:
        UserError: for what :func:`check_report` refuses.
    """
    splits = [one.split for one in evaluations]
    metrics = list(dict.fromkeys(name for one in evaluations for name in one.scores))
    check_report(folder, splits, metrics)
    folder.mkdir(parents=True, exist_ok=True)
    before = _written_by_us(folder)
    record: dict[str, object] = {"format": _FORMAT, "files": sorted({*before, *_names(splits, metrics)})}
    # first, so that the files of a report that does not come to its end are known to be ours
    write_atomic(folder / SCORES, json.dumps(record, indent=2) + "\n")
    parts = [_Part.of(one, (subject.calibrations or {}).get(one.split)) for one in evaluations]
    pages = [part.write(folder, subject.languages) for part in parts]
    write_atomic(folder / PAGE, report_page(subject.title, subject.facts, pages))
    written = sorted({PAGE, SCORES, *(name for part in parts for name in part.files())})
    for stale in set(before) - set(written):
        (folder / stale).unlink(missing_ok=True)
    record |= {"files": written, "title": subject.title, "facts": dict(subject.facts)}
    record["splits"] = [part.to_dict() for part in parts]
    write_atomic(folder / SCORES, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    return folder / PAGE


def _names(splits: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """Name every file that a report may write."""
    names = [PAGE, SCORES]
    for split in splits:
        names += [f"{split}.hyp", f"{split}-reliability.svg", *(f"{split}-by-length-{name}.svg" for name in metrics)]
    return names


def _written_by_us(folder: Path) -> list[str]:
    """Return what an earlier report wrote, as far as it is still there."""
    try:
        record = json.loads((folder / SCORES).read_bytes())
    except (OSError, ValueError):
        return []
    if not isinstance(record, dict) or record.get("format") != _FORMAT or not isinstance(record.get("files"), list):
        return []
    names = [name for name in record["files"] if isinstance(name, str) and Path(name).name == name]
    return [name for name in names if (folder / name).is_file()]


@dataclass(frozen=True)
class _Part:
    """One test set, judged in every way."""

    evaluation: Evaluation
    buckets: list[LengthBucket]
    sentence_scores: list[float]
    diagnostics: MeanDiagnostics | None
    calibration: Calibration | None

    @classmethod
    def of(cls, evaluation: Evaluation, calibration: Calibration | None) -> _Part:
        judged, options = evaluation.judged, replace(evaluation.options, resamples=0)
        buckets = [] if judged.sources is None else evaluation.by_length()
        attended = [one.attention for one in evaluation.translations if one.attention.any()]
        return cls(
            evaluation,
            buckets,
            score_sentences(evaluation.hypotheses, judged.references, SENTENCE_METRIC, options=options),
            mean_diagnostics(map(diagnose, attended)) if attended else None,
            calibration,
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
        )
