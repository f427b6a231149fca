"""One page of a run: its configuration, how it learned, how good it is, where it looks and how that came about."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_attn.checkpoint.folders import find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import read_info
from seq2seq_attn.config import dump_config
from seq2seq_attn.config.schema import Config, DecodingConfig
from seq2seq_attn.errors import DataError
from seq2seq_attn.evaluation.metrics import MetricOptions
from seq2seq_attn.experiment.evaluate import evaluate_run
from seq2seq_attn.experiment.learning import Learning
from seq2seq_attn.experiment.over_training import SENTENCES, attention_over_training
from seq2seq_attn.experiment.report import Training, check_report, report_run
from seq2seq_attn.experiment.report_set import Look
from seq2seq_attn.experiment.run_folder import METRICS, differences
from seq2seq_attn.experiment.splits import EvaluationSet, choose_sets
from seq2seq_attn.translation import Translation, Translator
from seq2seq_attn.translation.document import attention_document, attention_panel
from seq2seq_attn.visualization.page_run import RunPage

FOLDER = "report"
"""Where the report of a run is written when no other place is named: a folder inside the run."""

REPORT_METRICS = ("bleu", "chrf")
_ALTERNATIVES = 4  # told for each token of a translation that is shown


@dataclass(frozen=True)
class ReportOptions:
    """What a report is made of.

    Attributes:
        splits: test sets; none: all of the configuration, or the validation split if there are none.
        search: makes of the configured search the one that is wanted; None: as configured.
        sentences: validation sentences that every kept checkpoint is made to translate; 0: none.
        resamples: bootstrap samples behind each interval.
        device: ``auto``, ``cpu`` or ``cuda``.
        say: takes a line about something that the report has to do without.
    """

    splits: Sequence[str] = ()
    search: Callable[[DecodingConfig], DecodingConfig] | None = None
    sentences: int = SENTENCES
    resamples: int = 1000
    device: str = "auto"
    say: Callable[[str], None] = print


def report_whole_run(path: Path, folder: Path | None = None, options: ReportOptions | None = None) -> Path:
    """Translate the test sets of a run, look at all it has kept, write the report, and return its page.

    A test set that was not asked for by name and cannot be read is left out; the page says why.

    Args:
        path: a run folder, or a checkpoint folder inside one.
        folder: of the report; by default ``report`` inside the run.
        options: what it is made of.

    Raises:
        CheckpointError: if there is no run, no checkpoint yet, or it is damaged.
        ConfigError: if there is no split of a name.
        DataError: if a test set that was asked for cannot be read.
        UserError: if the report cannot be written there.
        MissingExtra: if plots cannot be drawn.
    """
    options = options or ReportOptions()
    run, checkpoint = find_checkpoint(path)
    config = read_run_config(run)
    folder = run / FOLDER if folder is None else folder
    sets, missing = _read_sets(path, config, options.splits)
    check_report(folder, [judged.name for judged in sets], REPORT_METRICS, option="--output")
    for line in missing:
        options.say(line)
    learning = Learning.read(run)
    attention = None
    if options.sentences:
        attention = attention_over_training(run, config, sentences=options.sentences, device=options.device)
    page = RunPage(
        corpora=_corpora(config),
        changed=changed_keys(config),
        settings=dump_config(config),
        plots=learning.plots(),
        validations=learning.table(),
        attention=attention,
        remarks=[*_remarks(checkpoint, learning), *missing],
    )
    evaluations = evaluate_run(
        str(checkpoint),
        sets,
        search=options.search,
        metrics=REPORT_METRICS,
        options=MetricOptions(resamples=options.resamples),
        device=options.device,
    )
    languages = config.data.source_language, config.data.target_language
    look = _look(Translator.load(checkpoint, device=options.device), languages)
    training = Training(page, learning.to_dict(), look)
    return report_run(folder, str(checkpoint), evaluations, device=options.device, training=training)


def _look(translator: Translator, languages: tuple[str, str]) -> Look | None:
    """Return what makes attention documents: of the model's own weights, with what else it thought of writing."""
    if not translator.model.attends:
        return None

    def look(found: Translation) -> Mapping[str, Any]:
        panel = attention_panel(
            translator, found, name="", languages=languages, alternatives=_ALTERNATIVES, heads=False
        )
        return attention_document([panel], title=found.source)

    return look


def _read_sets(path: Path, config: Config, splits: Sequence[str]) -> tuple[list[EvaluationSet], list[str]]:
    """Return the test sets, and why others are missing."""
    if splits:
        return choose_sets(str(path), splits=splits), []
    sets: list[EvaluationSet] = []
    missing: list[str] = []
    for name in config.data.test or ["validation"]:
        try:
            sets += choose_sets(str(path), splits=[name])
        except DataError as error:
            missing.append(f"The test set {name} is left out: {error}")
    return sets, missing


def _remarks(checkpoint: Path, learning: Learning) -> list[str]:
    averaged = read_info(checkpoint).averaged
    if averaged is not None:
        return [f"The model is the mean of {len(averaged)} checkpoints, so it has no training of its own."]
    if not learning.training and not learning.validations:
        return [f"Nothing is known of the training: {METRICS} is missing from the run, or empty."]
    if not learning.validations:
        return ["No validation was logged."]
    return []


def changed_keys(config: Config) -> dict[str, tuple[str, str]]:
    """Return the keys that differ from their defaults, with value and default; the text has none."""
    sections = {name: field.default for name, field in Config.model_fields.items() if not field.is_required()}
    data = {name: field.default for name, field in type(config.data).model_fields.items() if not field.is_required()}
    data["test"] = config.data.test
    plain = config.model_copy(update={**sections, "data": config.data.model_copy(update=data)})
    return {key: (_written(new), _written(old)) for key, (old, new) in differences(plain, config).items()}


def _corpora(config: Config) -> dict[str, str]:
    """Return where the text comes from, a line for each file."""
    found = {"data.source_language": config.data.source_language, "data.target_language": config.data.target_language}
    corpora = [("train", config.data.train), ("validation", config.data.validation)]
    named = [(f"data.{name}", part) for name, parts in corpora for part in parts]
    named += [(f"data.test.{name}", part) for name, part in config.data.test.items()]
    for key, part in named:
        values = part.model_dump(mode="json", exclude_defaults=True)
        line = ", ".join(f"{name} {_written(value)}" for name, value in values.items())
        found[key] = f"{found[key]}; {line}" if key in found else line
    return found


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
