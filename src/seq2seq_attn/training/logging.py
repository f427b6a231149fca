"""Where the numbers of a training go: a JSON Lines file, TensorBoard, the screen."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

from tqdm import tqdm

from seq2seq_attn.errors import TrainingError
from seq2seq_attn.files import write_atomic
from seq2seq_attn.libraries import optional_import
from seq2seq_attn.training.objectives.base import PARTS

Record = Mapping[str, object]

_RGBA = 4  # a picture's colors, as TensorBoard numbers them


@runtime_checkable
class Sink(Protocol):
    """Takes one record after another; each has a ``kind`` and a ``step``."""

    def write(self, record: Record) -> None:
        """Take a record."""

    def close(self) -> None:
        """Take no more."""


class JsonLines:
    """One JSON object per line. A resumed run forgets what was logged after the state it resumes from.

    Args:
        path: the file.
        resume_step: the step of that state; 0 for a new run.
        validated: whether that state knows of a validation at its step, or will make it again.
    """

    def __init__(self, path: Path, *, resume_step: int = 0, validated: bool = True) -> None:
        if path.exists():
            last = (resume_step, validated)
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_atomic(path, "".join(line for line in lines if _place(line) <= last))
        self._path = path
        # without a buffer: what the disk had no room for must not be tried again when the file is closed
        self._file = path.open("ab", buffering=0)

    def write(self, record: Record) -> None:
        """Append a line.

        Raises:
            TrainingError: if there is no room for it.
        """
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode()
        try:
            written = self._file.write(line)
        except OSError as error:
            raise TrainingError(f"{self._path}: cannot be written: {error.strerror}") from error
        if written != len(line):
            raise TrainingError(f"{self._path}: no room for another line")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _place(line: str) -> tuple[float, bool]:
    """Say when a line was written: its step, and whether a validation there was over."""
    try:
        record = json.loads(line)
        return float(record["step"]), record["kind"] == "validation"
    except (ValueError, KeyError, TypeError):
        return float("inf"), True  # a line that was cut off when the machine died


def check_tensorboard_installed() -> None:
    """Refuse to go on without TensorBoard.

    Raises:
        MissingExtra: if it is not installed.
    """
    optional_import("tensorboard", feature="training.tensorboard", extra="tensorboard")


class TensorBoard:
    """Scalars for TensorBoard.

    Raises:
        MissingExtra: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, resume_step: int = 0) -> None:
        check_tensorboard_installed()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=resume_step + 1)

    def write(self, record: Record) -> None:
        """Write every number of the record as ``kind/name``."""
        step = record["step"]
        for name, value in record.items():
            if isinstance(value, float | int) and name != "step":
                self._writer.add_scalar(f"{record['kind']}/{name}", value, step)

    def write_text(self, tag: str, markdown: str, step: int) -> None:
        """Write a text, which is shown as Markdown."""
        self._writer.add_text(tag, markdown, step)

    def write_image(self, tag: str, png: bytes, step: int) -> None:
        """Write a picture as it is, without decoding it."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        width, height = struct.unpack(">II", png[16:24])  # where every PNG has them
        image = Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=_RGBA)
        self._writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def flush(self) -> None:
        """Let whoever watches see what was written until now."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class Screen:
    """A progress bar on stderr, one per epoch, and a line per validation."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._quiet = quiet
        self._told: set[object] = set()

    def start_epoch(self, number: int, *, total: int, done: int) -> None:
        """Show a new bar of ``total`` batches."""
        self.close()
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=f"epoch {number}",
            unit="batch",
            file=sys.stderr,
            disable=True if self._quiet else None,
            leave=False,
            dynamic_ncols=True,
        )

    def advance(self, batches: int) -> None:
        """Move the bar on."""
        if self._bar is not None:
            self._bar.update(batches)

    def write(self, record: Record) -> None:
        """Show a training record beside the bar, any other as a line of its own; of a kind with messages the first."""
        if self._quiet:
            return
        if "message" in record:
            if record["kind"] not in self._told:
                self._told.add(record["kind"])
                tqdm.write(str(record["message"]), file=sys.stderr)
            return
        if record["kind"] == "train":
            names = ("loss", *(name for name in PARTS if name in record), "tokens_per_second", "minutes_left")
            shown = {name: _short(record[name]) for name in names}
            if self._bar is not None and not self._bar.disable:
                self._bar.set_postfix(shown)
            return
        numbers = "  ".join(f"{name} {_short(value)}" for name, value in record.items() if isinstance(value, float))
        tqdm.write(f"step {record['step']}  epoch {record['epoch']}  {record['kind']}  {numbers}", file=sys.stderr)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
