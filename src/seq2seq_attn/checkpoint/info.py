"""What is in a checkpoint folder, and what can be said of it without torch.

step-00001200/
  checkpoint.json     step, scores, versions, checksums of the other files
  model.safetensors   parameters
  training.pt         optimizer, random states, counters; only needed to resume
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from seq2seq_attn import __version__
from seq2seq_attn.errors import CheckpointError

FORMAT = 1

INFO = "checkpoint.json"
MODEL = "model.safetensors"
TRAINING = "training.pt"


@dataclass(frozen=True)
class Info:
    """What can be said of a checkpoint.

    Attributes:
        step: optimizer steps made.
        epoch: passes over the corpus completed.
        scores: of the validation at this step; None when it was not validated.
        version: of this package, when it was written.
        checksums: SHA-256 of the other files.
        format: of the folder; a release reads its own and every earlier one.
        averaged: the checkpoints whose mean this is; None for one that training made.
    """

    step: int
    epoch: int
    scores: dict[str, float] | None
    version: str
    checksums: dict[str, str]
    format: int = FORMAT
    averaged: list[dict[str, Any]] | None = None


def read_info(folder: Path) -> Info:
    """Read what a checkpoint says of itself.

    Raises:
        CheckpointError: if the folder holds no checkpoint of ours, or one of a later format.
    """
    path = folder / INFO
    try:
        found = json.loads(path.read_bytes())
        if found["format"] > FORMAT:
            raise CheckpointError(
                f"{path}: written by seq2seq_attn {found['version']}, whose format is newer than this release "
                f"({__version__}) knows; install that version or a later one"
            )
        found.setdefault("averaged", None)  # earlier releases knew of no averages
        return Info(**{field.name: found[field.name] for field in dataclasses.fields(Info)})
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: no checkpoint of seq2seq_attn here ({INFO} is missing)") from None
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged or foreign ({type(error).__name__}: {error})") from error


def check_files(folder: Path, info: Info, names: tuple[str, ...] = (MODEL, TRAINING)) -> None:
    """Compare files with their checksums.

    Raises:
        CheckpointError: naming the first that is missing or differs.
    """
    for name in names:
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{path}: missing; the checkpoint is damaged, use another one")
        if checksum(path) != info.checksums.get(name):
            raise CheckpointError(
                f"{path}: its content does not match its checksum: truncated, changed or damaged; "
                "use another checkpoint"
            )


def count_parameters(folder: Path) -> int:
    """Count the numbers in a checkpoint's parameters without reading them.

    Raises:
        CheckpointError: if the file is missing, damaged or foreign.
    """
    path = folder / MODEL
    try:
        with safe_open(path, framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; the checkpoint is damaged, use another one") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file, or a damaged one ({error})") from error


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
