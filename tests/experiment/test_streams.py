"""Lines that come one by one: grouped without waiting, in order, in constant memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2seq_attn.errors import DataError
from seq2seq_attn.experiment.reading import as_they_come, chunks, with_constraints
from seq2seq_attn.translation import Constraint

PROGRAM = Path(__file__).parents[1] / "copying_stream.py"


def test_what_is_there_is_grouped_and_in_order() -> None:
    groups = list(as_they_come(range(23), 5))
    assert [number for group in groups for number in group] == list(range(23))
    assert all(1 <= len(group) <= 5 for group in groups)
    assert list(as_they_come([], 5)) == []
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_nobody_waits_for_a_full_group() -> None:
    asked = threading.Event()

    def slowly() -> Iterator[str]:
        yield "first"
        assert asked.wait(60), "the first line was held back until the second came"
        yield "second"

    groups = as_they_come(slowly(), 100)
    assert next(groups) == ["first"]
    asked.set()
    assert list(groups) == [["second"]]


def test_an_error_comes_behind_what_was_whole() -> None:
    may_fail = threading.Event()

    def failing() -> Iterator[int]:
        yield from range(4)
        may_fail.wait(60)
        raise DataError("line 5 is damaged")

    groups = as_they_come(failing(), 4)
    found: list[int] = []
    while len(found) < 4:
        found += next(groups)
    may_fail.set()
    assert found == [0, 1, 2, 3]
    with pytest.raises(DataError, match="line 5 is damaged"):
        next(groups)


@pytest.mark.parametrize(("size", "at_most"), [(2, 8), (10, 16)])
def test_not_much_is_read_ahead(size: int, at_most: int) -> None:
    read = 0

    def counted() -> Iterator[int]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield number

    groups = as_they_come(counted(), size)
    taken = len(next(groups))
    assert read - taken <= at_most


def constrained(folder: Path, lines: list[str], written: list[str], common: Constraint) -> list[tuple[str, Constraint]]:
    path = folder / "asked.jsonl"
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    return list(with_constraints(iter(lines), "source.en", path, common))


def test_what_a_line_asks_beside_what_all_ask(tmp_path: Path) -> None:
    common = Constraint("all", ("every",), "--prefix or --require")
    written = ["{}", '{"prefix": "own", "require": ["more"]}']
    found = constrained(tmp_path, ["a", "b"], written, common)
    assert found == [("a", Constraint("all", ("every",))), ("b", Constraint("own", ("every", "more")))]
    assert found[1][1].place == f"{tmp_path / 'asked.jsonl'}:2"


@pytest.mark.parametrize(("lines", "written"), [(2, 5), (5, 2), (3, 0), (0, 1)])
def test_as_many_constraints_as_lines(tmp_path: Path, lines: int, written: int) -> None:
    with pytest.raises(DataError, match=rf"source.en has {lines} lines but .*asked.jsonl has {written}: "):
        constrained(tmp_path, ["a"] * lines, ["{}"] * written, Constraint())


def memory(way: str, folder: Path, *lines: int) -> list[int]:
    """Megabytes that a process of its own has used at most, after each number of lines in turn."""
    command = [sys.executable, str(PROGRAM), way, str(folder), *map(str, lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    return [int(line) for line in done.stdout.splitlines()]


def test_the_program_that_measures_translates(tmp_path: Path) -> None:
    assert memory("translate", tmp_path, 50)[0] > 50
    source, output = (tmp_path / f"50.{name}" for name in ("source", "translate"))
    assert output.read_text(encoding="utf-8") == source.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["translate", "json", "n-best", "score"])
def test_memory_does_not_grow_with_the_number_of_lines(tmp_path: Path, way: str) -> None:
    """Many times as many lines; the 45,000 more as text alone would be 3 megabytes of Python objects."""
    few, many = (5_000, 50_000) if way == "translate" else (2_000, 20_000)
    after_few, after_many = memory(way, tmp_path, few, many)
    assert after_many - after_few <= 2
