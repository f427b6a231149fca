"""Checkpoint folders: written whole, and the parameters in them read back; see ``info`` for what is in them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file

from seq2seq_attn import __version__
from seq2seq_attn.checkpoint.info import INFO, MODEL, TRAINING, Info, checksum
from seq2seq_attn.errors import CheckpointError, TrainingError
from seq2seq_attn.files import folder_atomic
from seq2seq_attn.models.base import Seq2Seq


class NotWritten(TrainingError):  # noqa: N818 - what happened; as an error it is a TrainingError
    """A checkpoint could not be written; those before it are as they were."""


def write_checkpoint(
    folder: Path,
    model: Seq2Seq,
    training: Mapping[str, Any],
    *,
    step: int,
    epoch: int,
    scores: Mapping[str, float] | None,
) -> None:
    """Write a checkpoint folder; it is complete or absent, never half.

    Raises:
        NotWritten: if the disk is full, or refuses for another reason.
    """
    try:
        with folder_atomic(folder) as aside:
            save_file(_parameters(model), aside / MODEL, metadata={"format": "pt"})
            with (aside / TRAINING).open("wb") as file:  # torch's own writer does not say why it cannot write
                torch.save(dict(training), file)
            info = Info(
                step=step,
                epoch=epoch,
                scores=None if scores is None else dict(scores),
                version=__version__,
                checksums={name: checksum(aside / name) for name in (MODEL, TRAINING)},
            )
            (aside / INFO).write_text(json.dumps(dataclasses.asdict(info), indent=2) + "\n", encoding="utf-8")
    except (OSError, SafetensorError, RuntimeError) as error:
        raise NotWritten(f"{folder}: cannot be written ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    """Say why something could not be written; libraries hide the system's answer behind their own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause.strerror or str(cause)
        cause = cause.__context__
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return line.rpartition("I/O error: ")[2].partition(" (os error")[0]


def read_parameters(folder: Path, model: Seq2Seq) -> None:
    """Load parameters into ``model``; every one of them, and no other.

    Raises:
        CheckpointError: if the file is damaged, foreign, or of another model.
    """
    path = folder / MODEL
    try:
        load_model(model, str(path), strict=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; the checkpoint is damaged, use another one") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file, or a damaged one ({error})") from error
    except RuntimeError as error:
        raise CheckpointError(f"{path}: parameters of another model: {_mismatch(path, model)}") from error


def read_training(folder: Path) -> dict[str, Any]:
    """Read what a resumed training needs. Code that a file may carry is refused, never run.

    Raises:
        CheckpointError: if the file is damaged or holds anything but numbers and tensors.
    """
    path = folder / TRAINING
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing, so training cannot go on from here") from None
    except Exception as error:  # a damaged pickle can lead torch anywhere
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(f"{path}: damaged, or holds something other than tensors ({reason})") from error


def _mismatch(path: Path, model: Seq2Seq) -> str:
    found = {name: tuple(tensor.shape) for name, tensor in load_file(str(path)).items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name) and (name in found or name not in _shared(model)):
            return f"{name} is {found.get(name, 'absent')} in the file and {wanted.get(name, 'absent')} in the model"
    untied = ", ".join(sorted(found.keys() & _shared(model)))
    return f"{untied} stands alone in the file, but is tied to another parameter in the model"


def _parameters(model: Seq2Seq) -> dict[str, torch.Tensor]:
    """Return what a model has learned, shared parameters under their first name only.

    The other names stay out of the file: safetensors' own ``save_model`` lists them in an order that
    changes from run to run, and the same model would not give the same bytes.
    """
    shared = _shared(model)
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name not in shared}


def _shared(model: Seq2Seq) -> set[str]:
    """Names of parameters that stand in the file under another name."""
    names: dict[int, str] = {}
    return {
        name for name, tensor in model.state_dict(keep_vars=True).items() if names.setdefault(id(tensor), name) != name
    }
