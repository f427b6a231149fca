"""Preparation in several processes, killed and gone on with: always the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_attn.config import dump_config
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data import encode, record
from seq2seq_attn.data.encode import Counts
from seq2seq_attn.data.prepare import PREPARING, PreparedData, prepare
from seq2seq_attn.data.record import Digests
from seq2seq_attn.data.tokenizers import draw

PAIRS = 4001


@pytest.fixture
def text(write_corpus) -> dict[str, str]:
    """Write a corpus with alignments, some pairs of which are empty or too long."""
    generator = random.Random(5)
    words = ["".join(generator.choices("abcdefgh", k=generator.randint(1, 7))) for _ in range(199)]
    sentences = [
        [" ".join(generator.choices(words, k=generator.choice([0, *range(1, 13)]))) for _ in range(PAIRS)] for _ in "st"
    ]
    paths = write_corpus("train", *sentences)
    links = write_corpus("links", ["0-0" if one and two else "" for one, two in zip(*sentences, strict=True)], [])
    return {**paths, "alignments": links["source"]}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "_BLOCK", 37)
    monkeypatch.setattr(encode, "_BLOCKS_PER_NOTE", 3)


@pytest.fixture
def configure(text, make_config) -> Callable[..., Config]:
    def configure(workers: int = 1) -> Config:
        tokenizer = {"kind": "sentencepiece", "vocabulary_size": 97, "sampling": 0.1}
        config = make_config(text, max_length=31, **tokenizer)
        return config.model_copy(update={"data": config.data.model_copy(update={"workers": workers})})

    return configure


def run(config: Config, folder: Path) -> tuple[PreparedData, list[str]]:
    lines: list[str] = []
    return prepare(config, folder, report=lines.append), lines


def contents(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items()}


def same_bytes(one: Path, two: Path) -> bool:
    left, right = contents(one), contents(two)
    # which files were too new to trust their times depends on the moment
    left.pop("corpus/made_of.json"), right.pop("corpus/made_of.json")
    assert len(left) > 20
    return left == right


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_processes_gives_the_same_bytes(configure, tmp_path: Path, workers: int) -> None:
    one, _ = run(configure(), tmp_path / "one")
    many, _ = run(configure(workers), tmp_path / "many")
    assert same_bytes(tmp_path / "one", tmp_path / "many")
    assert one.counts == many.counts
    assert min(one.counts.kept, one.counts.empty, one.counts.too_long) > 100
    assert one.counts.pairs == PAIRS


CHILD = """
import pathlib, sys
from seq2seq_attn.config import load_config
from seq2seq_attn.data import encode
from seq2seq_attn.data.prepare import prepare
encode._BLOCK, encode._BLOCKS_PER_NOTE = 37, 3
prepare(load_config(sys.argv[1]), pathlib.Path(sys.argv[2]), report=lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_and_go_on(configure, tmp_path: Path, workers: int) -> None:
    run(configure(), tmp_path / "whole")
    config = tmp_path / "config.yaml"
    config.write_text(dump_config(configure(workers)))
    folder = tmp_path / "killed"
    reached = 0
    for more in (5, 17, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(config), str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while _blocks(folder) < min(reached + more, 90) and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert not (folder / "corpus").exists()  # nothing half-written has the final name
        assert not (folder / "tokenizer").exists()
        assert _blocks(folder) > reached  # each start goes on where the one before was
        reached = _blocks(folder)
    prepared, lines = run(configure(), folder)
    assert lines[0] == "reusing the tokenizer of an interrupted preparation"
    assert lines[2].startswith("going on with an interrupted preparation: ")
    assert int(lines[2].split()[6].replace(",", "")) == reached * 37
    assert prepared.counts.pairs == PAIRS
    assert same_bytes(folder, tmp_path / "whole")
    assert sorted(path.name for path in folder.iterdir()) == ["corpus", "tokenizer"]


def _blocks(folder: Path) -> int:
    return encode._Progress.read(folder / PREPARING / "notes.json", 1).blocks


def test_counts_add_up() -> None:
    assert Counts(1, 2, 3) + Counts(10, 20, 30) == Counts(11, 22, 33)


class TestDigests:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "text"
        path.write_text("one\n")
        os.utime(path, ns=(10**18, 10**18))
        return path

    @pytest.fixture(autouse=True)
    def all_are_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(record, "_CLOCK_STEP", -(10**12))

    def test_an_unchanged_file_is_not_read_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        digests = Digests()
        digest = digests.of(path)
        monkeypatch.delattr(record, "_digest")
        again = Digests(digests.found)
        assert again.of(path) == digest
        assert again.found == digests.found

    @pytest.mark.parametrize("change", ["size", "time", "other"])
    def test_a_changed_file_is_read_again(self, path: Path, change: str) -> None:
        digests = Digests()
        digest = digests.of(path)
        if change == "other":  # of the same size and age
            path.rename(path.with_name("old"))
            path.write_text("two\n")
        else:
            path.write_text("two" + "s" * (change == "size") + "\n")
        if change != "time":
            os.utime(path, ns=(10**18, 10**18))
        assert Digests(digests.found).of(path) != digest

    def test_a_new_file_is_read_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # what is written in the same tick of the clock would look the same
        monkeypatch.setattr(record, "_CLOCK_STEP", 10**12)
        digests = Digests()
        digests.of(path)
        assert digests.found == {}

    @pytest.mark.parametrize("known", [None, [], {"x": 1}, "damaged"])
    def test_damaged_notes_do_no_harm(self, path: Path, known: object) -> None:
        assert Digests(known).of(path) == Digests().of(path)

    def test_a_second_start_reads_no_text(self, configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run(configure(), tmp_path / "run")
        files = []
        plain = record._digest
        monkeypatch.setattr(record, "_digest", lambda file: files.append(file.name) or plain(file))
        run(configure(), tmp_path / "run")
        assert files
        assert all("tokenizer" in str(name) for name in files)


class TestDraw:
    @pytest.mark.parametrize("size", [0, 1, 6, 7])
    def test_few_texts_are_all_taken_in_order(self, size: int) -> None:
        texts = [f"{number}" for number in range(size)]
        assert draw(texts, 7, seed=1) == (texts, size)

    def test_each_text_is_as_likely(self) -> None:
        texts = [f"{number}" for number in range(50)]
        times = dict.fromkeys(texts, 0)
        for seed in range(2000):
            chosen, total = draw(iter(texts), 10, seed)
            assert total == 50
            assert len(set(chosen)) == 10
            for text in chosen:
                times[text] += 1
        # 2000 draws of one in five: 400, give or take five standard deviations of 18
        assert all(310 < count < 490 for count in times.values())

    def test_a_function_of_the_seed(self) -> None:
        texts = [f"{number}" for number in range(500)]
        assert draw(texts, 10, 3) == draw(texts, 10, 3) != draw(texts, 10, 4)

    def test_the_log_says_so(self, text, make_config, tmp_path: Path) -> None:
        tokenizer = {"kind": "sentencepiece", "vocabulary_size": 97, "training_sentences": 1000}
        _, lines = run(make_config(text, **tokenizer), tmp_path / "run")
        assert lines[1] == f"the tokenizer learns from 1,000 of {2 * PAIRS:,} sentences, drawn at random"
