"""One run made of several checkpoints: which they are, whether they go together, and the folder of their mean."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from seq2seq_attn.checkpoint.average import average_parameters, write_average
from seq2seq_attn.checkpoint.folders import BEST, CHECKPOINTS, CONFIG, LAST, TOKENIZER, find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import Info, read_info
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError
from seq2seq_attn.evaluation.metrics import higher_is_better
from seq2seq_attn.experiment.run_folder import differences
from seq2seq_attn.files import folder_atomic, link_atomic

SHAPING = ("model", "data.source_language", "data.target_language")
"""Keys of a configuration that checkpoints must agree in to be averaged; tokenizers are compared by their files."""

TRAINING_ONLY = ("model.dropout", "model.source_vectors", "model.target_vectors")
"""Keys below them that a trained model does not depend on."""


def choose_checkpoints(paths: Sequence[Path], *, last: int | None, best: int | None) -> list[Path]:
    """Return the checkpoint folders that are meant.

    Args:
        paths: checkpoint folders, or run folders for their best ones; with ``last`` or ``best`` one run folder.
        last: how many of the newest checkpoints of the run.
        best: how many of the best ones by its validation metric.

    Raises:
        ConfigError: if the request contradicts itself.
        CheckpointError: if there is no such run or checkpoint, or there are not so many.
    """
    if last is None and best is None:
        return [find_checkpoint(path)[1] for path in paths]
    if last is not None and best is not None:
        raise ConfigError("--last and --best: choose one of them")
    option, count = ("--last", last) if best is None else ("--best", best)
    if count is None or count < 1:
        raise ConfigError(f"{option} is {count}, but it must be 1 or more")
    if len(paths) != 1 or not (paths[0] / CONFIG).is_file():
        raise ConfigError(f"{option} chooses among the checkpoints of one run; name one run folder with it")
    (run,) = paths
    found = _checkpoints(run) if best is None else _ranked(run)
    if len(found) < count:
        kind = "checkpoints" if best is None else "validated checkpoints"
        raise CheckpointError(
            f"{run}: has {len(found)} {kind}, but {option} asks for {count}; ask for fewer, or train with a "
            "larger training.keep_best, which says how many stay"
        )
    return found[-count:] if best is None else found[:count]


def average_checkpoints(folders: Sequence[Path], output: Path, report: Callable[[str], None]) -> Path:
    """Write a run folder whose one checkpoint is the mean of others; return that checkpoint's folder.

    Args:
        folders: checkpoint folders of one network and one tokenizer.
        output: the folder to make.
        report: is told what was averaged.

    Raises:
        ConfigError: if there is something at ``output`` already.
        CheckpointError: if a checkpoint is damaged or does not go with the others.
    """
    output = output.resolve()
    _check_output(output)
    runs = [folder.resolve().parent.parent for folder in folders]
    read_run_config(runs[0])
    Tokenizers.load(runs[0] / TOKENIZER)
    for folder, run in zip(folders[1:], runs[1:], strict=True):
        if run != runs[0]:
            _check_alike(folder, run, runs[0])
    parameters = average_parameters(folders)
    step = max(read_info(folder).step for folder in folders)
    name = f"step-{step:08d}"
    with folder_atomic(output) as aside:
        shutil.copyfile(runs[0] / CONFIG, aside / CONFIG)
        shutil.copytree(runs[0] / TOKENIZER, aside / TOKENIZER)
        write_average(aside / CHECKPOINTS / name, parameters, folders)
        for link in (BEST, LAST):
            link_atomic(aside / CHECKPOINTS / link, name)
    report(f"averaged {len(folders)} checkpoints: {', '.join(str(folder) for folder in folders)}")
    if len(set(runs)) > 1:
        report(
            "note: they are of different runs; a mean is a good model only when these began with the same parameters "
            "(training.initial)"
        )
    return output / CHECKPOINTS / name


def _checkpoints(run: Path) -> list[Path]:
    """All checkpoints of a run, oldest first."""
    return sorted(path for path in (run / CHECKPOINTS).glob("step-*") if path.is_dir() and not path.is_symlink())


def _ranked(run: Path) -> list[Path]:
    """All validated checkpoints of a run, best first; of equal ones the earlier comes first, as ``best`` has it."""
    metric = read_run_config(run).training.validation_metric
    sign = -1.0 if higher_is_better(metric) else 1.0

    def score(info: Info) -> float | None:
        return None if info.scores is None else info.scores.get(metric)

    scored = [(score(read_info(path)), path) for path in _checkpoints(run)]
    return [path for _, path in sorted((sign * value, path) for value, path in scored if value is not None)]


def _check_output(output: Path) -> None:
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        kind = "holds files already" if output.is_dir() else "is a file"
        raise ConfigError(f"{output}: {kind}; choose another folder with --output")
    if output.parent.name == CHECKPOINTS and (output.parent.parent / CONFIG).is_file():
        raise ConfigError(
            f"{output}: is among the checkpoints of a run, which training clears away; choose a folder outside"
        )


def _check_alike(folder: Path, run: Path, first: Path) -> None:
    """Refuse a checkpoint whose network or tokenizer is not that of the first."""
    changed = differences(read_run_config(first), read_run_config(run))
    for key, (wanted, found) in changed.items():
        if _is_under(key, SHAPING) and not _is_under(key, TRAINING_ONLY):
            raise CheckpointError(
                f"{folder}: cannot be averaged with the checkpoints of {first}: {key} is {found!r} here and "
                f"{wanted!r} there"
            )
    wanted_files, found_files = _contents(first / TOKENIZER), _contents(run / TOKENIZER)
    for name in sorted(wanted_files.keys() | found_files.keys()):
        if wanted_files.get(name) != found_files.get(name):
            raise CheckpointError(
                f"{folder}: cannot be averaged with the checkpoints of {first}: their tokenizers differ in {name}, so "
                "that the same row of a parameter stands for different tokens"
            )


def _is_under(key: str, sections: Sequence[str]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
