"""Where things are in a run folder; needs no torch."""

from __future__ import annotations

from pathlib import Path

from seq2seq_attn.checkpoint.info import INFO
from seq2seq_attn.config import Config, parse_config
from seq2seq_attn.errors import CheckpointError, ConfigError

CONFIG = "config.yaml"
TOKENIZER = "tokenizer"
CHECKPOINTS = "checkpoints"
BEST = "best"
LAST = "last"
MANIFEST = "manifest.json"
"""Of an exported model, which has a configuration, too, and is no run."""

SHOWN = 5
"""Runs that are named where a folder of runs is given for one; more are not."""


def find_checkpoint(path: Path, checkpoint: str = BEST) -> tuple[Path, Path]:
    """Return the run folder and the checkpoint folder that ``path`` means.

    Raises:
        CheckpointError: if there is no such run, or no such checkpoint in it.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such run folder (working directory: {Path.cwd()})")
    if (path / INFO).is_file():
        folder = path.resolve()
        return folder.parent.parent, folder
    if (path / MANIFEST).is_file():
        raise CheckpointError(
            f"{path}: an exported model ({MANIFEST} is there), but the run itself is needed here; name the run folder "
            "that it was exported from"
        )
    if not (path / CONFIG).is_file():
        inside = sorted(found.parent.name for found in path.glob(f"*/{CONFIG}"))
        shown = f"{', '.join(inside[:SHOWN])}{', ...' if len(inside) > SHOWN else ''}"
        raise CheckpointError(
            f"{path}: neither a run folder ({CONFIG} is missing) nor a checkpoint folder ({INFO} is missing)"
            + (f"; there are runs in it: {shown}" if inside else "")
        )
    folder = path / CHECKPOINTS / checkpoint
    if folder.is_dir():
        return path, folder.resolve()
    there = sorted(found.name for found in (path / CHECKPOINTS).glob("*") if (found / INFO).is_file())
    if not there:
        raise CheckpointError(f"{path}: no checkpoint yet; train first, or wait for the first validation")
    raise CheckpointError(f"{path}: no checkpoint {checkpoint!r} (there are: {', '.join(there)})")


def read_run_config(run: Path) -> Config:
    """Read the configuration that a run was made with.

    Raises:
        CheckpointError: if it is missing or damaged.
    """
    path = run / CONFIG
    try:
        return parse_config(path.read_text(encoding="utf-8"), source=str(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; {run} is not a run folder of seq2seq_attn") from None
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: damaged, or written by a later release: {error}") from error
