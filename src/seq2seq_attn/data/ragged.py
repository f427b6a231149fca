"""Rows of different lengths in one flat array, in memory or on disk."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import index
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import DataError

_OFFSET = np.dtype("<i8")
_HEADER_BYTES = 128


class Ragged:
    """Rows of different lengths behind each other in one flat array.

    Args:
        values: all rows, one after the other.
        offsets: where each row starts, and where the last one ends.
    """

    def __init__(self, values: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        self.values = values
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: SupportsIndex) -> NDArray[Any]:
        number = index(row)
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each row."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the lengths of some rows."""
        return np.asarray(self.offsets[rows + 1] - self.offsets[rows])

    def release(self) -> None:
        """Let the memory go in which parts of mapped files lie; who needs them again finds them in the files."""
        for array in (self.values, self.offsets):
            base: Any = array
            while isinstance(base, np.ndarray):
                base = base.base
            if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                base.madvise(mmap.MADV_DONTNEED)

    def take(self, rows: Sequence[int]) -> Ragged:
        """Copy some rows, in the order asked for."""
        chosen = [self.values[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        offsets = np.concatenate(([0], np.cumsum([len(row) for row in chosen], dtype=np.int64)))
        return Ragged(np.concatenate(chosen) if chosen else self.values[:0], offsets)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], dtype: type[np.integer[Any]]) -> Ragged:
        """Hold ``rows`` in memory."""
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        return cls(np.fromiter(chain.from_iterable(rows), dtype=dtype, count=int(offsets[-1])), offsets)

    @classmethod
    def open(cls, path: Path) -> Ragged:
        """Map what a :class:`RaggedWriter` wrote.

        Raises:
            DataError: if it is missing or damaged.
        """
        try:
            offsets = np.load(_offsets_path(path), mmap_mode="r", allow_pickle=False)
            dtype = values_dtype(path)
            size = path.stat().st_size
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: the prepared corpus cannot be read: {error}") from error
        if len(offsets) == 0 or size != offsets[-1] * dtype.itemsize:
            raise DataError(f"{path}: the prepared corpus is damaged: it has {size} bytes; prepare it again")
        # an empty file cannot be mapped
        values = np.memmap(path, dtype=dtype, mode="r") if size else np.zeros(0, dtype)
        return cls(np.asarray(values), np.asarray(offsets))


class Rows(NamedTuple):
    """Rows as they lie in a file: the bytes of all their values, and their lengths."""

    values: bytes
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], dtype: np.dtype[Any]) -> Rows:
        """Put rows of numbers (bytes are numbers, too) behind each other."""
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        if rows and isinstance(rows[0], bytes):
            return cls(b"".join(cast("Sequence[bytes]", rows)), lengths)
        return cls(np.fromiter(chain.from_iterable(rows), dtype=dtype, count=int(lengths.sum())).tobytes(), lengths)


class RaggedWriter:
    """Writes rows to disk as they come, so that a corpus need not fit into memory.

    Args:
        path: the file of the values; its suffix is the type, such as ``.uint16``. The offsets go beside it,
            and cannot be read before all rows are written.
        keep: rows of an earlier writer to go on behind; what it wrote after them is dropped.
    """

    def __init__(self, path: Path, *, keep: int = 0) -> None:
        self._dtype = values_dtype(path)
        offsets = _offsets_path(path)
        if not keep:
            path.write_bytes(b"")
            offsets.write_bytes(bytes(_HEADER_BYTES + _OFFSET.itemsize))
        self._offsets: IO[bytes] = offsets.open("r+b")
        self._values: IO[bytes] = path.open("r+b")
        self.rows = keep
        self._offsets.seek(_HEADER_BYTES + keep * _OFFSET.itemsize)
        self._end = int(np.frombuffer(self._offsets.read(_OFFSET.itemsize), _OFFSET)[0])
        self._offsets.truncate(self._offsets.tell())
        self._values.truncate(self._end * self._dtype.itemsize)
        self._values.seek(0, os.SEEK_END)

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._offsets, self._values:
            if kind is None:
                self._offsets.seek(0)
                self._offsets.write(_header(self.rows + 1))
                self.sync()

    def write(self, rows: Iterable[Sequence[int]]) -> None:
        """Append rows of numbers (bytes are numbers, too)."""
        self.append(Rows.of(list(rows), self._dtype))

    def append(self, rows: Rows) -> None:
        """Append rows that are bytes already."""
        offsets = np.cumsum(rows.lengths, dtype=_OFFSET) + self._end
        self._values.write(rows.values)
        self._offsets.write(offsets.astype(_OFFSET).tobytes())
        self.rows += len(offsets)
        if len(offsets):
            self._end = int(offsets[-1])

    def sync(self) -> None:
        """Return when what has been written would outlast a loss of power."""
        for file in (self._values, self._offsets):
            file.flush()
            os.fsync(file.fileno())


def smallest_dtype(count: int) -> type[np.integer[Any]]:
    """Return the smallest type that holds the numbers below ``count``."""
    return np.uint16 if count <= 2**16 else np.int32


def values_dtype(path: Path) -> np.dtype[Any]:
    """Return the type of the numbers in a file, which its suffix names."""
    return np.dtype(path.suffix.removeprefix("."))


def _header(offsets: int) -> bytes:
    """Return the head of a ``.npy`` file, padded to a size that does not depend on how many numbers follow."""
    text = f"{{'descr': '{_OFFSET.str}', 'fortran_order': False, 'shape': ({offsets},), }}"
    start = b"\x93NUMPY\x01\x00"
    rest = _HEADER_BYTES - len(start) - 2
    return start + rest.to_bytes(2, "little") + text.ljust(rest - 1).encode() + b"\n"


def _offsets_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.offsets.npy")
