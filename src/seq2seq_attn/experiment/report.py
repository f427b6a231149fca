"""A folder that says how good translations are: hypotheses, scores, plots, and one page of HTML with all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.checkpoint.folders import find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import count_parameters, read_info
from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.experiment.calibrate import calibrate
from seq2seq_attn.experiment.evaluate import Evaluation
from seq2seq_attn.experiment.report_set import Look, SetReport
from seq2seq_attn.exported import is_exported, read_manifest
from seq2seq_attn.files import check_folder, write_atomic
from seq2seq_attn.translation import Translator
from seq2seq_attn.translation.members import split_runs
from seq2seq_attn.visualization.page import Markup, check_plots
from seq2seq_attn.visualization.page_report import SplitPage, report_page, smaller
from seq2seq_attn.visualization.page_run import RunPage, run_parts

PAGE = "report.html"
SCORES = "scores.json"
LARGEST_PAGE = 1_900_000
"""Bytes; a page that is opened on a telephone should not be larger."""

_TIMES = 5  # that something can be left out of a page, and none
_FORMAT = "seq2seq_attn report 1"


@dataclass(frozen=True)
class Training:
    """How the subject of a report came to be what it is.

    Attributes:
        page: what the page says of it.
        record: the same for a machine, ready for JSON.
        look: makes the attention documents of translations that are shown; None: they are drawn only.
    """

    page: RunPage
    record: Mapping[str, object]
    look: Look | None = None


@dataclass(frozen=True)
class ReportSubject:
    """What a report is about.

    Attributes:
        title: of the page.
        facts: what is worth knowing of the system, by name.
        languages: of source and target, empty where they are not known.
        calibrations: how sure the model is, by the name of the test set.
        training: how it was trained; None where the report is of its translations only.
    """

    title: str
    facts: Mapping[str, str]
    languages: tuple[str, str] = ("", "")
    calibrations: Mapping[str, Calibration] | None = None
    training: Training | None = None


def check_report(folder: Path, splits: Sequence[str], metrics: Sequence[str], *, option: str = "--report") -> None:
    """See to it that a report can be written, before anything is translated for it.

    An older report is replaced. Other files in the folder stay as they are, and are never written over.

    Raises:
        UserError: if ``folder`` is a file, cannot be written, or holds a file of ours that no report wrote.
        MissingExtra: if plots cannot be drawn.
    """
    check_plots()
    check_folder(folder, "a report", option=option)
    ours = set(_written_by_us(folder))
    for name in _names(splits, metrics):
        if (folder / name).exists() and name not in ours:
            raise UserError(
                f"{folder / name}: is there already, and no report wrote it; "
                f"name another folder with {option}, or move this file away"
            )


def report_run(
    folder: Path,
    run: str | None,
    evaluations: Sequence[Evaluation],
    *,
    device: str = "auto",
    training: Training | None = None,
) -> Path:
    """Write the report of what a run, an ensemble or a file of translations scored; see :func:`write_report`.

    Args:
        folder: the report's folder.
        run: as the command line has it: a folder, or several with commas between them; None for a file.
        evaluations: of its test sets.
        device: that the calibration is computed on; an ensemble has none.
        training: how the run was trained, where the report is to say it.
    """
    if run is None:
        return write_report(folder, evaluations, ReportSubject("ready translations", {}))
    members = split_runs(run)
    if len(members) > 1:
        names = ", ".join(map(str, members))
        return write_report(folder, evaluations, ReportSubject("ensemble", {"runs": names}))
    if is_exported(members[0]):
        return write_report(folder, evaluations, _exported_subject(members[0]))
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
    return write_report(folder, evaluations, ReportSubject(config.name, facts, languages, calibrations, training))


def _exported_subject(folder: Path) -> ReportSubject:
    """Say what an exported model is; its calibration would need the run."""
    manifest = read_manifest(folder)
    facts = {
        "languages": f"{manifest.source_language} → {manifest.target_language}",
        "model": manifest.architecture,
        "attention": manifest.attention,
        "parameters": f"{manifest.parameters:,}",
        "checkpoint": f"{manifest.checkpoint.get('name')}, epoch {manifest.checkpoint.get('epoch')}",
        "exported as": manifest.precision,
    }
    return ReportSubject(manifest.name, facts, (manifest.source_language, manifest.target_language))


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
    look = None if subject.training is None else subject.training.look
    parts = [SetReport.of(one, (subject.calibrations or {}).get(one.split), look) for one in evaluations]
    pages = [part.write(folder, subject.languages) for part in parts]
    about = None if subject.training is None else run_parts(subject.training.page, subject.languages)
    write_atomic(folder / PAGE, _fitting(subject, pages, about))
    written = sorted({PAGE, SCORES, *(name for part in parts for name in part.files())})
    for stale in set(before) - set(written):
        (folder / stale).unlink(missing_ok=True)
    record |= {"files": written, "title": subject.title, "facts": dict(subject.facts)}
    record["splits"] = [part.to_dict() for part in parts]
    if subject.training is not None:
        record["training"] = dict(subject.training.record)
    write_atomic(folder / SCORES, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    return folder / PAGE


def _fitting(subject: ReportSubject, pages: Sequence[SplitPage], about: Mapping[str, Markup] | None) -> str:
    """Return the page with all attention that there is room for."""
    for times in range(_TIMES):
        shown = [smaller(page, times) for page in pages]
        html = report_page(subject.title, subject.facts, shown, about=about)
        if len(html.encode()) <= LARGEST_PAGE:
            break
    return html


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
