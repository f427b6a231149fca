"""Runs and ready translations on the same test sets, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seq2seq_attn.checkpoint.folders import find_checkpoint
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.compare import Comparison, check_comparison, compare_systems
from seq2seq_attn.evaluation.metrics import MetricOptions
from seq2seq_attn.evaluation.significance import TRIALS
from seq2seq_attn.experiment.evaluate import translate_set
from seq2seq_attn.experiment.origin import origin_of, stored_translations
from seq2seq_attn.experiment.splits import EvaluationSet, config_of, read_matching
from seq2seq_attn.exported import is_exported
from seq2seq_attn.runtime import choose_device
from seq2seq_attn.translation import Translator
from seq2seq_attn.translation.members import decoding_for, split_runs


@dataclass(frozen=True)
class ComparisonOptions:
    """How systems are compared.

    Attributes:
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case, tokenization, bootstrap samples.
        trials: of approximate randomization.
        sentence_metric: what single sentences are compared by.
    """

    metrics: Sequence[str] = ("bleu", "chrf")
    options: MetricOptions = field(default_factory=MetricOptions)
    trials: int = TRIALS
    sentence_metric: str = "chrf"


def is_file(system: str) -> bool:
    """Whether a system is a file of translations, not a run."""
    return Path(system).is_file()


def compare(
    systems: Sequence[str],
    sets: Sequence[EvaluationSet],
    *,
    tests: ComparisonOptions | None = None,
    search: Callable[[DecodingConfig], DecodingConfig] | None = None,
    device: str = "auto",
    report: Callable[[str], None],
) -> list[Comparison]:
    """Compare the first system with each of the others, on every set.

    Args:
        systems: runs (folders, or several with commas between them: an ensemble) or files of translations.
        sets: what is translated.
        tests: by which metrics and tests.
        search: makes of the configured search of a run the one that is wanted.
        device: ``auto``, ``cpu`` or ``cuda``.
        report: told which translations a run made long ago.

    Raises:
        ConfigError: if the request is none.
        UserError: if something asked for is unknown.
        CheckpointError: if a run is none, or damaged.
        DataError: if a file is missing or wrong, or has another number of lines than the references.
    """
    tests = tests or ComparisonOptions()
    check_comparison(systems, [*tests.metrics, tests.sentence_metric], tests.options)
    _check_languages([system for system in systems if not is_file(system)])
    translated: dict[str, list[list[str]]] = {}
    for system in systems:  # files first: a wrong one is found before hours of translation
        if is_file(system):
            if len(sets) > 1:
                raise ConfigError(
                    f"{system} holds translations of one test set, but there are "
                    f"{', '.join(judged.name for judged in sets)}; choose with --split"
                )
            translated[system] = [read_matching(Path(system), len(sets[0].pairs), f"the reference ({sets[0].name})")]
    for system in systems:
        if not is_file(system):
            translated[system] = _translate(system, sets, search, device, report)
    return [
        compare_systems(
            {system: translated[system][number] for system in systems},
            judged.references,
            tests.metrics,
            split=judged.name,
            sources=judged.sources,
            options=tests.options,
            trials=tests.trials,
            sentence_metric=tests.sentence_metric,
        )
        for number, judged in enumerate(sets)
    ]


def _check_languages(runs: Sequence[str]) -> None:
    """Refuse runs that translate other languages than the first."""
    languages = {run: (config_of(run).data.source_language, config_of(run).data.target_language) for run in runs}
    for run, (source, target) in languages.items():
        first = languages[runs[0]]
        if (source, target) != first:
            raise ConfigError(
                f"{runs[0]} translates {first[0]} to {first[1]}, but {run} {source} to {target}; "
                "they cannot be compared on one test set"
            )


def _translate(
    run: str,
    sets: Sequence[EvaluationSet],
    search: Callable[[DecodingConfig], DecodingConfig] | None,
    device: str,
    report: Callable[[str], None],
) -> list[list[str]]:
    """Return the translations of every set, those that the run keeps where they are surely the same."""
    members = split_runs(run)
    configured = decoding_for(members, config_of(run).decoding)
    decoding = configured if search is None else search(configured)
    checkpoint = None if is_exported(members[0]) else find_checkpoint(members[0])[1]
    translator: Translator | None = None
    found = []
    for judged in sets:
        stored = None
        if len(members) == 1 and checkpoint is not None and judged.sources is not None:
            origin = origin_of(checkpoint, decoding, judged.sources, choose_device(device).type)
            stored = stored_translations(members[0], judged.name, origin)
        if stored is not None:
            report(f"{run}: {judged.name} as translated before, by the same checkpoint and search")
            found.append(stored)
            continue
        if translator is None:
            translator = Translator.load(checkpoint if len(members) == 1 and checkpoint else run, device=device)
        found.append([one.text for one in translate_set(translator, judged, decoding)])
    return found
