r"""Lines of text files, gzip included.

A line ends at ``\n``, ``\r\n`` or a lone ``\r``, and nowhere else: U+2028, U+0085 and their like
are characters of the sentence. Everything wrong is reported with its file and line.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from seq2seq_attn.errors import DataError


def read_lines(path: str | Path) -> Iterator[str]:
    """Read the lines of a UTF-8 text file without their ends; ``.gz`` is decompressed.

    A byte-order mark at the start is dropped.

    Raises:
        DataError: if the file is missing or damaged, or a line is not valid UTF-8.
    """
    with _explained(path), _open_decompressed(path) as binary:
        yield from read_stream(binary, path)


def read_stream(binary: io.BufferedIOBase | IO[bytes], name: str | Path) -> Iterator[str]:
    """Read the lines of an open stream, each as soon as it is there; see :func:`read_lines`.

    Args:
        binary: what is read.
        name: what errors call it.

    Raises:
        DataError: if a line is not valid UTF-8.
    """
    # Bytes that are no UTF-8 become surrogates, which UTF-8 never gives: so the line is known.
    text = io.TextIOWrapper(cast("IO[bytes]", binary), encoding="utf-8-sig", errors="surrogateescape", newline=None)
    try:
        for number, line in enumerate(text, start=1):
            if not line.isascii():
                _check_utf8(name, number, line)
            yield line.removesuffix("\n")
    finally:
        text.detach()  # the stream belongs to the caller, who closes it


@contextmanager
def open_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file as it lies on the disk.

    Raises:
        DataError: if it is missing or cannot be read.
    """
    with _explained(path), Path(path).open("rb") as file:
        yield file


def _open_decompressed(path: str | Path) -> io.BufferedIOBase:
    """Open a file for reading, decompressed if its name ends in ``.gz``."""
    if str(path).endswith(".gz"):
        return gzip.GzipFile(path, "rb")
    return Path(path).open("rb")


@contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    """Turn what can go wrong with a file into an error that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: no such file (looked for it in {Path.cwd()}); paths are relative to the folder "
            f"the command is started in{_known_corpus(Path(path))}"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: this is not a whole gzip file ({error}); fetch it again, or drop the '.gz' of its name "
            "if it is not compressed"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _known_corpus(path: Path) -> str:
    """Say how to fetch a text that we know, where it would lie then."""
    from seq2seq_attn.data.download import CORPORA  # costs an HTTP client, which nothing else needs

    name = path.parent.name
    known = name in CORPORA and CORPORA[name].has(path.name)
    return f"; to fetch this corpus: python scripts/download.py {name}" if known else ""


def _check_utf8(path: str | Path, number: int, line: str) -> None:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) - 0xDC00
        if number == 1 and byte in (0xFE, 0xFF):
            mend = "the file looks like UTF-16; save it as UTF-8"
        elif number == 1 and line.startswith("\x1f"):
            mend = "the file looks compressed; give it a name that ends in '.gz'"
        else:
            mend = "save the file as UTF-8"
        raise DataError(f"{path}:{number}: byte 0x{byte:02x} is not valid UTF-8; {mend}") from error
