"""From a run folder back to a model that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.checkpoint.contents import INFO, MODEL, check_files, read_info, read_parameters
from seq2seq_attn.checkpoint.store import BEST
from seq2seq_attn.config import Config, parse_config
from seq2seq_attn.data.tokenizers import PAD, Tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import choose_device

CONFIG = "config.yaml"
TOKENIZER = "tokenizer"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with all it needs.

    Attributes:
        model: in evaluation mode, on the device asked for.
        config: that it was trained with.
        tokenizer: of both languages: ``tokenizer.source`` and ``tokenizer.target``.
        step: optimizer steps made.
        metrics: scores of its validation; empty when it was not validated.
        run: the run folder.
        folder: the checkpoint folder.
    """

    model: Seq2Seq
    config: Config
    tokenizer: Tokenizers
    step: int
    metrics: dict[str, float]
    run: Path
    folder: Path


def load_checkpoint(run: str | Path, *, checkpoint: str = BEST, device: str = "cpu") -> Checkpoint:
    """Open a checkpoint of a run.

    Nothing that came with the files is executed: parameters are safetensors, and the
    configuration names mechanisms that this installation knows.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        CheckpointError: if the folder is no run, or something in it is missing, damaged or foreign.
    """
    run_folder, folder = find_checkpoint(Path(run), checkpoint)
    config = read_run_config(run_folder)
    info = read_info(folder)
    check_files(folder, info, (MODEL,))
    tokenizers = Tokenizers.load(run_folder / TOKENIZER)
    model = build_model(
        config.model,
        source_vocabulary=len(tokenizers.source),
        target_vocabulary=len(tokenizers.target),
        padding=PAD,
    )
    read_parameters(folder, model)
    model = model.to(choose_device(device)).eval()
    return Checkpoint(model, config, tokenizers, info.step, dict(info.scores or {}), run_folder, folder)


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
    if not (path / CONFIG).is_file():
        raise CheckpointError(
            f"{path}: neither a run folder ({CONFIG} is missing) nor a checkpoint folder ({INFO} is missing)"
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
