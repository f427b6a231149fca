from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data.encoded import EncodedCorpus, ids_path
from seq2seq_attn.data.ragged import Ragged, RaggedWriter
from seq2seq_attn.errors import DataError

ROWS = st.lists(st.lists(st.integers(0, 2**16 - 1), max_size=7), max_size=13)


@given(ROWS)
def test_rows_come_back_from_the_disk(tmp_path_factory, rows: list[list[int]]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.uint16"
    with RaggedWriter(path) as writer:
        writer.write(rows[:5])
        writer.write(rows[5:])
    read = Ragged.open(path)
    assert [read[number].tolist() for number in range(len(read))] == rows
    assert read.lengths.tolist() == [len(row) for row in rows]
    held = Ragged.of(rows, np.uint16)
    assert [held[number].tolist() for number in range(len(held))] == rows


def test_a_corpus_is_mapped_and_not_read(tmp_path: Path) -> None:
    for side in ("source", "target"):
        with RaggedWriter(ids_path(tmp_path, side, 101)) as writer:
            writer.write([[5, 6], [], [7]])
    corpus = EncodedCorpus.open(tmp_path)
    assert len(corpus) == 3
    assert corpus.source(0).tolist() == [5, 6]
    base = corpus.source(0)
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        corpus.target(0)[0] = 1


def test_vocabularies_beyond_16_bits(tmp_path: Path) -> None:
    assert ids_path(tmp_path, "source", 2**16).suffix == ".uint16"
    assert ids_path(tmp_path, "source", 2**16 + 1).suffix == ".int32"


def test_sides_of_different_length(tmp_path: Path) -> None:
    for side, rows in (("source", [[5]]), ("target", [[5], [6]])):
        with RaggedWriter(ids_path(tmp_path, side, 101)) as writer:
            writer.write(rows)
    with pytest.raises(DataError, match="is damaged: 1 source sentences, 2 target sentences; prepare it again"):
        EncodedCorpus.open(tmp_path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the source side of the prepared corpus is missing; prepare it again"):
        EncodedCorpus.open(tmp_path)


def test_a_writer_that_failed_leaves_no_offsets(tmp_path: Path) -> None:
    with pytest.raises(OverflowError), RaggedWriter(tmp_path / "rows.uint16") as writer:
        writer.write([[1], [2**16]])  # never a number that has wrapped around
    with pytest.raises(DataError, match="cannot be read"):
        Ragged.open(tmp_path / "rows.uint16")


def test_a_file_is_on_the_disk_whole_before_anybody_takes_note_of_it(tmp_path, monkeypatch) -> None:
    synced: dict[int, int] = {}
    monkeypatch.setattr("os.fsync", lambda number: synced.update({os.fstat(number).st_ino: os.fstat(number).st_size}))
    path = tmp_path / "source.uint16"
    with RaggedWriter(path) as writer:
        writer.write([[1, 2], [3]])
    written = {file.stat().st_ino: file.stat().st_size for file in tmp_path.iterdir()}
    assert synced == written
    assert len(written) == 2
