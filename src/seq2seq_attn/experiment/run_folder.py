"""The folder of a run: which configuration it belongs to, and what may be done in it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from seq2seq_attn.checkpoint.folders import CHECKPOINTS, CONFIG, TOKENIZER, read_run_config
from seq2seq_attn.checkpoint.info import INFO, read_info
from seq2seq_attn.config import Config, dump_config
from seq2seq_attn.data.prepare import PREPARING
from seq2seq_attn.errors import CheckpointError, ConfigError
from seq2seq_attn.experiment.lock import LOCK
from seq2seq_attn.files import write_atomic

CORPUS = "corpus"
METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"

MAY_CHANGE = frozenset(
    {
        "name",
        "data.test",
        "data.workers",
        "decoding",
        "training.device",
        "training.threads",
        "training.max_epochs",
        "training.min_steps",
        "training.max_steps",
        "training.max_minutes",
        "training.patience",
        "training.max_bad_steps",
        "training.keep_best",
        "training.log_every",
        "training.tensorboard",
        "training.validation_metrics",
    }
)
"""Keys that a resumed run may have other values for: they change when it ends or what is shown."""


def check_run_folder(folder: Path, config: Config, *, resume: bool) -> None:
    """Refuse a folder that belongs to something else. Nothing is written.

    Raises:
        ConfigError: if the folder holds another experiment, a training that ``resume`` does not ask
            to go on with, or files that are none of ours.
        CheckpointError: if its configuration cannot be read.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, but a run needs a folder; choose another one with --output")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".aside-")} - {LOCK}
    if CONFIG not in names:
        foreign = sorted(names - {TOKENIZER, CORPUS, PREPARING})
        if foreign:
            raise ConfigError(
                f"{folder}: holds other files ({foreign[0]}) and no run; choose another folder with --output"
            )
        return
    changed = differences(read_run_config(folder), config)
    _refuse_average(folder)
    trained = (folder / CHECKPOINTS).is_dir() and any((folder / CHECKPOINTS).glob("step-*"))
    if not trained:
        return  # only prepared, or not even that; preparation itself sees what has to be made again
    if not resume:
        if changed:
            raise ConfigError(
                f"{folder}: holds a run of another configuration ({_describe(changed)}); choose another folder with "
                "--output, another name in the configuration, or delete this one"
            )
        raise ConfigError(
            f"{folder}: this run has been trained already; go on with --resume, or choose another folder with --output"
        )
    fixed = {key: values for key, values in changed.items() if not _may_change(key)}
    if fixed:
        raise ConfigError(
            f"{folder}: cannot be resumed with another configuration ({_describe(fixed)}); "
            "restore these values, or start a new run with --output"
        )


def _refuse_average(folder: Path) -> None:
    for path in (folder / CHECKPOINTS).glob(f"step-*/{INFO}"):
        with contextlib.suppress(CheckpointError):  # a damaged one is passed over when resuming
            averaged = read_info(path.parent).averaged
            if averaged is not None:
                raise ConfigError(
                    f"{folder}: holds the average of {len(averaged)} checkpoints, and no state of a training, so "
                    "training cannot go on here; resume the run that they are from, or start a new one from these "
                    f"parameters with another --output and training.initial={folder}"
                )


def write_run_config(folder: Path, config: Config) -> None:
    """Write the resolved configuration into the run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / CONFIG, dump_config(config))


def differences(old: Config, new: Config) -> dict[str, tuple[object, object]]:
    """Return the keys whose values differ, with the old and the new one."""
    before, after = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    return {
        key: (before.get(key), after.get(key))
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key) and key != "name"
    }


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _may_change(key: str) -> bool:
    return any(key == allowed or key.startswith(f"{allowed}.") for allowed in MAY_CHANGE)


def _describe(changed: dict[str, tuple[object, object]]) -> str:
    shown = [f"{key} was {old!r}, now {new!r}" for key, (old, new) in list(changed.items())[:3]]
    more = len(changed) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
