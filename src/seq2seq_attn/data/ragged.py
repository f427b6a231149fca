"""Rows of different lengths in one flat array, in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import index
from pathlib import Path
from types import TracebackType
from typing import IO, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import DataError


class Ragged:
    """Rows of different lengths behind each other in one flat array.

    Args:
        values: all rows, one after the other.
        offsets: where each row starts, and where the last one ends.
    """

    def __init__(self, values: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        self.values = values
        self.offsets = offsets
        self.lengths: NDArray[np.int64] = np.diff(offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: SupportsIndex) -> NDArray[Any]:
        number = index(row)
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def take(self, rows: Sequence[int]) -> Ragged:
        """Copy some rows, in the order asked for."""
        chosen = [self.values[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        offsets = np.concatenate(([0], np.cumsum(self.lengths[list(rows)])))
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
            offsets = np.load(_offsets_path(path), allow_pickle=False)
            dtype = np.dtype(_suffix_dtype(path))
            size = path.stat().st_size
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: the prepared corpus cannot be read: {error}") from error
        if len(offsets) == 0 or size != offsets[-1] * dtype.itemsize:
            raise DataError(f"{path}: the prepared corpus is damaged: it has {size} bytes; prepare it again")
        # an empty file cannot be mapped
        values = np.memmap(path, dtype=dtype, mode="r") if size else np.zeros(0, dtype)
        return cls(np.asarray(values), offsets)


class RaggedWriter:
    """Writes rows to disk as they come, so that a corpus need not fit into memory.

    Args:
        path: the file of the values; its suffix is the type, such as ``.uint16``. The offsets go beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dtype = np.dtype(_suffix_dtype(path))
        self._lengths: list[int] = []
        self._file: IO[bytes] = path.open("wb")

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            offsets = np.concatenate(([0], np.cumsum(self._lengths, dtype=np.int64))).astype(np.int64)
            np.save(_offsets_path(self._path), offsets)

    def write(self, rows: Iterable[Sequence[int]]) -> None:
        """Append rows of numbers (bytes are numbers, too)."""
        for row in rows:
            self._lengths.append(len(row))
            self._file.write(row if isinstance(row, bytes) else np.asarray(row, dtype=self._dtype).tobytes())


def smallest_dtype(count: int) -> type[np.integer[Any]]:
    """Return the smallest type that holds the numbers below ``count``."""
    return np.uint16 if count <= 2**16 else np.int32


def _suffix_dtype(path: Path) -> str:
    return path.suffix.removeprefix(".")


def _offsets_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.offsets.npy")
