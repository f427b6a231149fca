"""Lines that are worked on as they come, in constant memory."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from seq2seq_attn.data.lines import read_lines, read_stream
from seq2seq_attn.errors import DataError
from seq2seq_attn.translation import Constraint, read_constraints

_Item = TypeVar("_Item")


def read_source(path: Path | None) -> Iterator[str]:
    """Read the lines of a file, or (None) of standard input, each as soon as it is there."""
    return read_stream(_standard_input(), "standard input") if path is None else read_lines(path)


def with_constraints(
    lines: Iterator[str], name: str, constraints: Path, common: Constraint
) -> Iterator[tuple[str, Constraint]]:
    """Put each line beside what a file says its translation must have, and what all of them must have.

    A prefix of its own takes the place of the common one; phrases are added to the common ones.

    Args:
        lines: of the source.
        name: what errors call it.
        constraints: a file with as many lines.
        common: of all lines.

    Raises:
        DataError: if a line of the file is wrong, or their numbers of lines differ.
    """
    found = read_constraints(constraints)
    count = 0
    for count, line in enumerate(lines, start=1):
        own = next(found, None)
        if own is None:
            raise _unequal(name, count + sum(1 for _ in lines), constraints, count - 1)
        yield line, Constraint(own.prefix or common.prefix, (*common.required, *own.required), own.place)
    rest = sum(1 for _ in found)
    if rest:
        raise _unequal(name, count, constraints, count + rest)


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Group what is there anyway, ``size`` at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def as_they_come(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Group what can be read without waiting, at most ``most`` at a time; an error comes behind what was whole."""
    ready: queue.Queue[_Item | _End] = queue.Queue(maxsize=most)

    def read() -> None:
        try:
            for item in items:
                ready.put(item)
            ready.put(_End(None))
        except BaseException as error:  # raised again where the items are used
            ready.put(_End(error))

    threading.Thread(target=read, name="lines", daemon=True).start()
    end: _End | None = None
    while end is None:
        group: list[_Item] = []
        newest = ready.get()
        while not isinstance(newest, _End):
            group.append(newest)
            if len(group) == most:
                break
            try:
                newest = ready.get_nowait()
            except queue.Empty:
                break
        else:
            end = newest
        if group:
            yield group
    if end.error is not None:
        raise end.error


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _standard_input() -> IO[bytes]:
    """Open standard input once more.

    A thread waits for its lines, perhaps still when the program ends; then Python takes the lock
    of its own stream, and would abort if the thread held it.
    """
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # not a file: a program has put something else there
        return sys.stdin.buffer


def _unequal(name: str, lines: int, constraints: Path, count: int) -> DataError:
    return DataError(
        f"{name} has {lines} lines but {constraints} has {count}: each line of the source needs one, "
        "{} where nothing is asked"
    )
