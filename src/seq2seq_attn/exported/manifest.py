"""``manifest.json``: what an exported folder says of itself, and the checksums of its files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_attn.errors import CheckpointError

MANIFEST = "manifest.json"
CONFIG = "config.yaml"
TOKENIZER = "tokenizer"

KIND = "seq2seq_attn onnx"
VERSION = 1
FORMAT = f"{KIND} {VERSION}"


@dataclass(frozen=True)
class Manifest:
    """What can be said of an exported model without opening its graphs.

    Attributes:
        name: of the run.
        source_language: as configured.
        target_language: as configured.
        architecture: ``rnn`` or ``transformer``.
        attention: the mechanism, in words.
        checkpoint: ``name``, ``step`` and ``epoch`` of what was exported.
        precision: what matrices are stored as, ``float32`` or ``int8``.
        attends: whether the weights say anything.
        sums_to_one: whether they sum to 1; else they may sum to less.
        parameters: numbers that were learned.
        encoder: file of the graph that reads the source.
        step: file of the graph that writes a token.
        memory: names of the tensors that the encoder gives and every step reads.
        state: names of the tensors that go from step to step; a step calls what it gives ``next`` instead.
        shared_memory: whether memory has an entry per sentence, and not one per row.
        vocabulary: tokens of ``source`` and ``target``.
        special: ids of ``pad``, ``unk``, ``bos`` and ``eos``.
        max_source_tokens: longer sources are to be cut.
        decoding: the decoding section of the configuration.
        opset: version of ONNX's operations.
        files: ``sha256`` and ``bytes`` of every other file of the folder, by its path in it.
        format: of the folder.
    """

    name: str
    source_language: str
    target_language: str
    architecture: str
    attention: str
    checkpoint: dict[str, Any]
    precision: str
    attends: bool
    sums_to_one: bool
    parameters: int
    encoder: str
    step: str
    memory: list[str]
    state: list[str]
    shared_memory: bool
    vocabulary: dict[str, int]
    special: dict[str, int]
    max_source_tokens: int
    decoding: dict[str, Any]
    opset: int
    files: dict[str, dict[str, Any]]
    format: str = FORMAT

    def to_json(self) -> str:
        """Write it as JSON, the format first."""
        fields = dataclasses.asdict(self)
        return json.dumps({"format": fields.pop("format"), **fields}, indent=2, ensure_ascii=False) + "\n"


def is_exported(folder: Path) -> bool:
    """Say whether a folder was written by an export, whole or damaged."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        CheckpointError: if there is none, or it is damaged, foreign, or of a later format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(_missing(folder))
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: not JSON ({error}); {_again()}") from error
    _check_format(path, found)
    wanted = {field.name: str(field.type) for field in dataclasses.fields(Manifest)}
    for name, kind in wanted.items():
        if name not in found:
            raise CheckpointError(f"{path}: damaged: {name} is missing; {_again()}")
        if not isinstance(found[name], _KINDS[kind.partition("[")[0]]):
            raise CheckpointError(f"{path}: damaged: {name} is {found[name]!r}; {_again()}")
    return Manifest(**{name: found[name] for name in wanted})


_KINDS: dict[str, type] = {"str": str, "bool": bool, "int": int, "list": list, "dict": dict}


def _missing(folder: Path) -> str:
    if not folder.exists():
        return f"{folder}: no such folder (working directory: {Path.cwd()})"
    if (folder / CONFIG).is_file() or (folder / "checkpoint.json").is_file():
        return (
            f"{folder}: a run, but an exported model is needed here; make one with "
            f"`seq2seq-attn export {folder} --format onnx --output FOLDER`"
        )
    return f"{folder}: no exported model ({MANIFEST} is missing)"


def _check_format(path: Path, found: Any) -> None:
    stated = found.get("format") if isinstance(found, dict) else None
    if not isinstance(stated, str) or not stated.startswith(f"{KIND} "):
        raise CheckpointError(f"{path}: not the manifest of an exported model of seq2seq_attn (format: {stated!r})")
    if stated != FORMAT:
        raise CheckpointError(
            f"{path}: has format {stated!r}, but this release knows {FORMAT!r}; install a later release, or "
            "export the run again"
        )


def _again() -> str:
    return "export the run again"


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare all files with the manifest.

    Raises:
        CheckpointError: naming the first that is missing or differs.
    """
    for name in (manifest.encoder, manifest.step, CONFIG):
        if name not in manifest.files:
            raise CheckpointError(f"{folder / MANIFEST}: damaged: no checksum of {name}; {_again()}")
    for name, facts in manifest.files.items():
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise CheckpointError(f"{folder / MANIFEST}: damaged: {name!r} is outside the folder; {_again()}")
        if not path.is_file():
            raise CheckpointError(f"{path}: missing; the exported model is damaged: copy it or {_again()}")
        if not isinstance(facts, Mapping) or checksum(path) != facts.get("sha256"):
            raise CheckpointError(
                f"{path}: its content does not match its checksum: truncated, changed or damaged; copy it or {_again()}"
            )


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return checksum and size of every file of a folder, by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"sha256": checksum(path), "bytes": path.stat().st_size} for path in paths
    }


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
