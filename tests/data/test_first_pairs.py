"""``pairs``: the first so many of a corpus, and nothing of the others anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq_attn.config.corpora import CorpusConfig, JsonlCorpus, ParquetCorpus, TextCorpus, TsvCorpus
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import read_corpus
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.prepare import PreparedData, prepare
from seq2seq_attn.data.tokenizers import UNK
from seq2seq_attn.errors import DataError

SOURCES = ["one", "two", "", "four", "five"]
TARGETS = ["um", "dois", "vazio", "quatro", "cinco"]
PAIRS = list(zip(SOURCES, TARGETS, strict=True))


@pytest.fixture
def corpora(tmp_path: Path) -> list[CorpusConfig]:
    """The same pairs in every format, in two files."""

    def path(name: str) -> str:
        return str(tmp_path / name)

    for number, pairs in enumerate((PAIRS[:2], PAIRS[2:])):
        (tmp_path / f"{number}.src").write_text("".join(f"{source}\n" for source, _ in pairs))
        (tmp_path / f"{number}.tgt").write_text("".join(f"{target}\n" for _, target in pairs))
        (tmp_path / f"{number}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        objects = "".join(f'{{"s": "{source}", "t": "{target}"}}\n' for source, target in pairs)
        (tmp_path / f"{number}.jsonl").write_text(objects)
        columns = {"s": [source for source, _ in pairs], "t": [target for _, target in pairs]}
        pyarrow.parquet.write_table(pyarrow.table(columns), path(f"{number}.parquet"))
    return [
        TextCorpus(source=(path("0.src"), path("1.src")), target=(path("0.tgt"), path("1.tgt"))),
        TsvCorpus(tsv=(path("0.tsv"), path("1.tsv"))),
        JsonlCorpus(jsonl=(path("0.jsonl"), path("1.jsonl")), source="s", target="t"),
        ParquetCorpus(parquet=(path("0.parquet"), path("1.parquet")), source="s", target="t"),
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_format(corpora: list[CorpusConfig], count: int) -> None:
    for corpus in corpora:
        first = corpus.model_copy(update={"pairs": count})
        assert list(read_corpus(first)) == PAIRS[:count]
        assert [pair for pair, _ in read_linked([first])] == PAIRS[:count]
        tagged = first.model_copy(update={"tag": "<x>"})
        assert list(read_corpus(tagged)) == [(f"<x> {source}", target) for source, target in PAIRS[:count]]


def test_each_corpus_has_its_own_number(corpora: list[CorpusConfig]) -> None:
    parts = [corpus.model_copy(update={"pairs": count}) for corpus, count in zip(corpora, (1, None, 2, 3), strict=True)]
    expected = PAIRS[:1] + PAIRS + PAIRS[:2] + PAIRS[:3]
    assert list(read_corpus(parts)) == expected
    assert [pair for pair, _ in read_linked(parts)] == expected


def test_more_than_there_are(corpora: list[CorpusConfig]) -> None:
    for corpus in corpora:
        more = corpus.model_copy(update={"pairs": 6})
        with pytest.raises(DataError, match=r"0\.[a-z]+, .*: 5 pairs in all, but the first 6 are asked for"):
            list(read_corpus(more))
        with pytest.raises(DataError, match=r"5 pairs in all, but the first 6 are asked for"):
            list(read_linked([more]))


def test_what_lies_behind_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "tsv").write_bytes(b"one\tum\nno tab\n\xff\n")
    assert list(read_corpus(TsvCorpus(tsv=(str(tmp_path / "tsv"),), pairs=1))) == [("one", "um")]


@pytest.mark.parametrize("links", ["0-0\n1-0\n0-1\n", "1 1 1\n2 2 1\n3 1 2\n"])
def test_alignments_of_all_pairs_stay_one_file(tmp_path: Path, links: str) -> None:
    for name, text in (("src", "a\nb c\nd\n"), ("tgt", "A\nB\nD E\n"), ("links", links)):
        (tmp_path / name).write_text(text)
    corpus = TextCorpus(
        source=(str(tmp_path / "src"),), target=(str(tmp_path / "tgt"),), alignments=(str(tmp_path / "links"),), pairs=2
    )
    found = [(pair, reference and reference.sure) for pair, reference in read_linked([corpus])]
    assert found == [(("a", "A"), [(0, 0)]), (("b c", "B"), [(1, 0)])]


class TestPreparation:
    @pytest.fixture
    def with_pairs(self, write_corpus: Any, make_config: Any) -> Any:
        files = write_corpus("x", ["ab", "", "ba", "xy"], ["AB", "A", "BA", "XY"])

        def with_pairs(train: int | None, validation: int | None = None) -> Config:
            return make_config({**files, "pairs": train}, {**files, "pairs": validation})

        return with_pairs

    def test_tokenizer_and_corpora_know_of_no_others(self, with_pairs: Any, tmp_path: Path) -> None:
        prepared = self.prepare(with_pairs(3, 2), tmp_path)[0]
        assert (len(prepared.train), len(prepared.validation)) == (2, 2)
        assert (prepared.counts.kept, prepared.counts.empty) == (2, 1)
        whole = self.prepare(with_pairs(None), tmp_path / "whole")[0]
        assert (len(whole.train), len(whole.validation)) == (3, 4)
        for prepared_one, known in ((prepared, False), (whole, True)):
            source = prepared_one.tokenizers.source
            assert (UNK in source.encode("xy")) is not known
            assert UNK not in source.encode("ab")

    def test_another_number_prepares_anew_and_the_same_does_not(self, with_pairs: Any, tmp_path: Path) -> None:
        self.prepare(with_pairs(3), tmp_path)
        assert self.prepare(with_pairs(3), tmp_path)[1][:2] == ["reusing the tokenizer", "reusing the prepared corpus"]
        prepared, lines = self.prepare(with_pairs(4), tmp_path)
        assert lines[:2] == [
            "learning the tokenizer: changed since: training text",
            "encoding the corpus: changed since: training text, tokenizer",
        ]
        assert len(prepared.train) == 3

    def prepare(self, config: Config, folder: Path) -> tuple[PreparedData, list[str]]:
        lines: list[str] = []
        return prepare(config, folder, report=lines.append), lines
