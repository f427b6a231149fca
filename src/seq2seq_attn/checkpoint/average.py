"""The mean of several checkpoints' parameters."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from seq2seq_attn import __version__
from seq2seq_attn.checkpoint.info import INFO, MODEL, Info, check_files, checksum, read_info
from seq2seq_attn.errors import CheckpointError


def average_parameters(folders: Sequence[Path]) -> dict[str, Tensor]:
    """Average the parameters of checkpoints; one that is named twice counts twice.

    The mean is computed in float64 and rounded once, to what the first checkpoint has. One parameter
    at a time is in memory, however many checkpoints there are.

    Args:
        folders: checkpoint folders, at least one.

    Raises:
        CheckpointError: if one is damaged, or its parameters differ from the first one's in name, shape or kind.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_open(folder)) for folder in folders]
        names = sorted(files[0].keys())
        for folder, file in zip(folders[1:], files[1:], strict=True):
            for name in sorted(set(names) ^ set(file.keys())):
                where = "there but not here" if name in names else "here but not there"
                raise CheckpointError(f"{folder}: cannot be averaged with {folders[0]}: {name} is {where}")
        return {name: _mean(name, folders, files) for name in tqdm(names, desc="averaging", disable=None, leave=False)}


def write_average(folder: Path, parameters: dict[str, Tensor], folders: Sequence[Path]) -> None:
    """Fill a new checkpoint folder: it can be opened as any other, but no training goes on from it.

    Args:
        folder: to be made.
        parameters: what :func:`average_parameters` returned.
        folders: what they were averaged from.
    """
    infos = [read_info(path) for path in folders]
    folder.mkdir(parents=True)
    save_file(parameters, folder / MODEL, metadata={"format": "pt"})
    info = Info(
        step=max(info.step for info in infos),
        epoch=max(info.epoch for info in infos),
        scores=None,
        version=__version__,
        checksums={MODEL: checksum(folder / MODEL)},
        averaged=[_source(path, info) for path, info in zip(folders, infos, strict=True)],
    )
    (folder / INFO).write_text(json.dumps(dataclasses.asdict(info), indent=2) + "\n", encoding="utf-8")


def _open(folder: Path) -> Any:
    check_files(folder, read_info(folder), (MODEL,))
    path = folder / MODEL
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file, or a damaged one ({error})") from error


def _mean(name: str, folders: Sequence[Path], files: Sequence[Any]) -> Tensor:
    first: Tensor = files[0].get_tensor(name)
    total = torch.zeros(first.shape, dtype=torch.float64)
    for folder, file in zip(folders, files, strict=True):
        tensor: Tensor = file.get_tensor(name)
        if (tensor.shape, tensor.dtype) != (first.shape, first.dtype):
            raise CheckpointError(
                f"{folder}: cannot be averaged with {folders[0]}: {name} is {_kind(tensor)} here and "
                f"{_kind(first)} there"
            )
        if not tensor.is_floating_point() and not torch.equal(tensor, first):
            raise CheckpointError(
                f"{folder}: cannot be averaged with {folders[0]}: {name} holds {_kind(tensor)}, of which there is no "
                "mean, and not the same ones"
            )
        total += tensor
    return (total / len(files)).to(first.dtype) if first.is_floating_point() else first


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _source(folder: Path, info: Info) -> dict[str, Any]:
    folder = folder.resolve()
    return {
        "checkpoint": f"{folder.parent.parent.name}/{folder.name}",
        "step": info.step,
        "scores": info.scores,
        "checksum": info.checksums[MODEL],
    }
