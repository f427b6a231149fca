from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.config.schema import Config
from seq2seq_attn.data import mixture
from seq2seq_attn.data import prepare as prepare_module
from seq2seq_attn.data.corpus import read_corpus
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.prepare import Counts, PreparedData, prepare
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError, DataError

SOURCE = ["a dog barks", "the cat", "two cats sleep on a mat", "dogs", "a cat barks"]
TARGET = ["ein Hund bellt", "die Katze", "zwei Katzen schlafen auf einer Matte", "Hunde", "eine Katze bellt"]
SUBWORDS = {"kind": "sentencepiece", "vocabulary_size": 41}


@pytest.fixture
def corpus(write_corpus) -> dict[str, str]:
    return write_corpus("train", SOURCE, TARGET)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Config], tuple[PreparedData, list[str]]]:
    def run(config: Config) -> tuple[PreparedData, list[str]]:
        lines: list[str] = []
        return prepare(config, tmp_path / "runs" / "run", report=lines.append), lines

    return run


def texts(tokenizers: Tokenizers, corpus: EncodedCorpus) -> list[tuple[str, str]]:
    return [
        (tokenizers.source.decode(corpus.source(n)), tokenizers.target.decode(corpus.target(n)))
        for n in range(len(corpus))
    ]


@pytest.mark.parametrize(
    "tokenizer", [{}, {"kind": "word"}, SUBWORDS, {**SUBWORDS, "shared": False, "vocabulary_size": 29}]
)
def test_what_is_prepared_is_the_corpus(corpus, make_config, run, tmp_path: Path, tokenizer) -> None:
    prepared, lines = run(make_config(corpus, **tokenizer))
    expected = list(zip(SOURCE, TARGET, strict=True))
    assert texts(prepared.tokenizers, prepared.train) == expected
    assert texts(prepared.tokenizers, prepared.validation) == expected
    assert prepared.train.source_lengths.tolist() == [len(prepared.tokenizers.source.encode(text)) for text in SOURCE]
    assert prepared.train.target_lengths.tolist() == [len(prepared.tokenizers.target.encode(text)) for text in TARGET]
    assert prepared.counts == Counts(kept=5)
    assert lines == [
        "learning the tokenizer: there is none yet",
        "encoding the corpus: there is none yet",
        "5 of 5 training pairs kept",
    ]
    loaded = Tokenizers.load(tmp_path / "runs" / "run" / "tokenizer")
    assert texts(loaded, prepared.train) == expected
    assert prepared.train_epoch(0) is prepared.train is prepared.train_epoch(1)
    assert sorted(path.name for path in (tmp_path / "runs" / "run").iterdir()) == ["corpus", "tokenizer"]


def test_large_vocabularies_need_wider_numbers(write_corpus, make_config, run) -> None:
    # 2 ** 16 characters of one sentence: ids beyond uint16 would wrap around in silence
    points = [chr(point) for point in range(0x4E00, 0x4E00 + 70_001) if not 0xD800 <= point < 0xE000]
    lines = ["".join(points[start : start + 997]) for start in range(0, len(points), 997)]
    config = make_config(write_corpus("train", lines, lines), vocabulary_size=100_003, max_length=1009)
    prepared, _ = run(config)
    assert len(prepared.tokenizers.source) > 2**16
    assert texts(prepared.tokenizers, prepared.train) == [(line, line) for line in lines]


class TestDropping:
    def test_empty_and_long_pairs_are_dropped_and_counted(self, write_corpus, make_config, run) -> None:
        source = ["abc", "", "abcdefg", "abc", "abcdefgh", "  ", "abc"]
        target = ["xyz", "xyz", "xyz", "\u2028 \t", "xyz", "", "xyzabcde"]
        prepared, lines = run(make_config(write_corpus("train", source, target), max_length=7))
        assert texts(prepared.tokenizers, prepared.train) == [("abc", "xyz"), ("abcdefg", "xyz")]
        assert prepared.counts == Counts(kept=2, empty=3, too_long=2)
        assert lines[-1] == (
            "2 of 7 training pairs kept; dropped 3 with an empty side and 2 longer than data.max_length = 7 tokens"
        )
        _, again = run(make_config(write_corpus("train", source, target), max_length=7))
        assert again[-1] == lines[-1]  # a second start says so, too

    def test_a_line_of_100000_characters_is_dropped(self, write_corpus, make_config, run) -> None:
        for kind in ({}, SUBWORDS, {"kind": "word"}):
            long = "x y" * 33_335
            prepared, lines = run(
                make_config(write_corpus("train", [*SOURCE, long], [*TARGET, long]), max_length=53, **kind)
            )
            assert prepared.counts == Counts(kept=5, too_long=1)
            assert lines[-1] == "5 of 6 training pairs kept; dropped 1 longer than data.max_length = 53 tokens"

    def test_validation_keeps_every_line(self, corpus, write_corpus, make_config, run) -> None:
        source, target = ["", "a cat" * 31, "a dog"], ["Katze", "", "Hund"]
        prepared, _ = run(make_config(corpus, write_corpus("val", source, target), max_length=29))
        assert texts(prepared.tokenizers, prepared.validation) == list(zip(source, target, strict=True))

    @pytest.mark.parametrize(
        ("source", "target", "why"),
        [
            ([], [], "0 of 0 training pairs kept"),
            (["", " "], ["a", "b"], "0 of 2 training pairs kept; dropped 2 with an empty side"),
            (["abcdefghijk"], ["a"], "0 of 1 training pairs kept; dropped 1 longer than data.max_length = 7 tokens"),
        ],
    )
    def test_empty_training_set(self, write_corpus, make_config, run, tmp_path: Path, source, target, why: str) -> None:
        paths = write_corpus("train", source, target)
        with pytest.raises(DataError) as error:
            run(make_config(paths, max_length=7))
        assert str(error.value) == (
            f"data.train leaves nothing to learn from: {why} ({paths['source']}, {paths['target']})"
        )
        assert not list((tmp_path / "runs").rglob("*.*"))  # nothing half-written

    def test_empty_validation_set(self, corpus, write_corpus, make_config, run, tmp_path: Path) -> None:
        paths = write_corpus("val", [], [])
        with pytest.raises(DataError) as error:
            run(make_config(corpus, paths))
        assert str(error.value) == f"data.validation holds no sentence pair ({paths['source']}, {paths['target']})"
        assert not list((tmp_path / "runs").rglob("*.*"))


class TestReuse:
    def change(self, run, before: Config, after: Config) -> list[str]:
        run(before)
        return run(after)[1]

    REUSED = ("reusing the tokenizer", "reusing the prepared corpus")

    @pytest.mark.parametrize("tokenizer", [{"kind": "word"}, SUBWORDS, {**SUBWORDS, "sampling": 0.1}])
    def test_nothing_changed(self, corpus, make_config, run, monkeypatch: pytest.MonkeyPatch, tokenizer) -> None:
        first, _ = run(make_config(corpus, **tokenizer))
        for name in ("train_tokenizers", "encode_training", "encode_validation"):
            monkeypatch.delattr(prepare_module, name)  # whoever calls them fails
        second, lines = run(make_config(corpus, **tokenizer))
        assert lines[:2] == [*self.REUSED]
        assert texts(second.tokenizers, second.train) == texts(first.tokenizers, first.train)
        assert second.counts == first.counts

    def test_moved_files_are_the_same_files(self, corpus, make_config, run, tmp_path: Path) -> None:
        moved = {side: str(shutil.copy(path, tmp_path / f"moved.{side}")) for side, path in corpus.items()}
        assert self.change(run, make_config(corpus), make_config(moved, corpus))[:2] == [*self.REUSED]

    def test_another_seed_changes_nothing(self, corpus, make_config, run) -> None:
        assert self.change(run, make_config(corpus, seed=1), make_config(corpus, seed=2))[:2] == [*self.REUSED]

    def test_training_text_changed(self, corpus, make_config, run, write_corpus) -> None:
        config = make_config(corpus, write_corpus("val", SOURCE, TARGET))
        run(config)
        write_corpus("train", [*SOURCE, "new"], [*TARGET, "neu"])
        prepared, lines = run(config)
        assert lines[0] == "learning the tokenizer: changed since: training text"
        assert lines[1] == "encoding the corpus: changed since: training text, tokenizer"
        assert len(prepared.train) == 6

    def test_sides_swapped(self, corpus, make_config, run) -> None:
        swapped = {"source": corpus["target"], "target": corpus["source"]}
        lines = self.change(run, make_config(corpus), make_config(swapped))
        assert lines[0] == "learning the tokenizer: changed since: training text"

    def test_other_columns_of_one_table(self, make_config, run, tmp_path: Path) -> None:
        (tmp_path / "a.tsv").write_text("dog\tHund\tcão\n" * 3)
        table = {"tsv": str(tmp_path / "a.tsv")}
        lines = self.change(run, make_config(table), make_config({**table, "target_column": 2}))
        assert lines[0] == "learning the tokenizer: changed since: training text"

    def test_validation_text_changed(self, corpus, make_config, run, write_corpus) -> None:
        config = make_config(corpus, write_corpus("val", ["a"], ["b"]))
        run(config)
        write_corpus("val", ["a", "a dog"], ["b", "Hund"])
        prepared, lines = run(config)
        assert lines[:2] == ["reusing the tokenizer", "encoding the corpus: changed since: validation text"]
        assert len(prepared.validation) == 2

    def test_max_length_changed(self, corpus, make_config, run) -> None:
        lines = self.change(run, make_config(corpus), make_config(corpus, max_length=17))
        assert lines == [
            "reusing the tokenizer",
            "encoding the corpus: changed since: data.max_length",
            "4 of 5 training pairs kept; dropped 1 longer than data.max_length = 17 tokens",
        ]

    def test_tokenizer_settings_changed(self, corpus, make_config, run) -> None:
        lines = self.change(run, make_config(corpus, **SUBWORDS), make_config(corpus, **SUBWORDS, algorithm="unigram"))
        assert lines[0] == "learning the tokenizer: changed since: tokenizer.algorithm"
        assert lines[1] == "encoding the corpus: changed since: tokenizer"

    def test_sampling_keeps_the_tokenizer(self, corpus, make_config, run) -> None:
        on = make_config(corpus, **SUBWORDS, sampling=0.1)
        lines = self.change(run, make_config(corpus, **SUBWORDS), on)
        assert lines[:2] == ["reusing the tokenizer", "encoding the corpus: changed since: tokenizer.sampling"]
        more = make_config(corpus, **SUBWORDS, sampling=0.3)  # the text is there already
        assert run(more)[1][:2] == [*self.REUSED]

    @pytest.mark.parametrize("damage", ["cut", "missing", "offsets", "counts"])
    def test_damaged_corpus_is_encoded_again(self, corpus, make_config, run, tmp_path: Path, damage: str) -> None:
        config = make_config(corpus)
        expected = texts(run(config)[0].tokenizers, run(config)[0].train)
        folder = tmp_path / "runs" / "run" / "corpus"
        ids, offsets = folder / "train" / "target.uint16", folder / "train" / "target.offsets.npy"
        if damage == "cut":
            ids.write_bytes(ids.read_bytes()[:-2])
        elif damage == "missing":
            ids.unlink()
        elif damage == "offsets":
            offsets.write_bytes(offsets.read_bytes()[:100])
        else:
            record = folder / "made_of.json"
            record.write_text(record.read_text().replace('"kept"', '"keptt"'))
        prepared, lines = run(config)
        assert lines[1].startswith("encoding the corpus: it is damaged (")
        assert texts(prepared.tokenizers, prepared.train) == expected

    @pytest.mark.parametrize("record", ["", "[]", "{"])
    def test_without_its_record_nothing_is_trusted(self, corpus, make_config, run, tmp_path: Path, record) -> None:
        run(make_config(corpus))
        (tmp_path / "runs" / "run" / "tokenizer" / "made_of.json").write_text(record)
        assert run(make_config(corpus))[1][0] == "learning the tokenizer: nothing says what the old one was made of"

    def test_an_interrupted_preparation_is_gone_on_with(
        self, corpus, make_config, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        folder = tmp_path / "runs" / "run"
        with monkeypatch.context() as patch:
            patch.setattr(prepare_module, "encode_validation", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(make_config(corpus))
        assert [path.name for path in folder.iterdir()] == [prepare_module.PREPARING]
        (folder / ".aside-corpus-1-2").mkdir()  # as if the machine had gone down
        prepared, lines = run(make_config(corpus))
        assert lines == [
            "reusing the tokenizer of an interrupted preparation",
            "encoding the corpus: there is none yet",
            "going on with an interrupted preparation: 5 pairs are encoded",
            "5 of 5 training pairs kept",
        ]
        assert texts(prepared.tokenizers, prepared.train) == list(zip(SOURCE, TARGET, strict=True))
        assert sorted(path.name for path in folder.iterdir()) == ["corpus", "tokenizer"]

    def test_what_was_begun_of_another_text_is_dropped(
        self, corpus, write_corpus, make_config, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(make_config(corpus))
        with monkeypatch.context() as patch:
            patch.setattr(prepare_module, "encode_validation", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(make_config(corpus, max_length=17))
        corpus = write_corpus("train", [*SOURCE, "a mat"], [*TARGET, "eine Matte"])
        prepared, lines = run(make_config(corpus, max_length=17))
        assert lines[-1] == "5 of 6 training pairs kept; dropped 1 longer than data.max_length = 17 tokens"
        assert not any("going on" in line for line in lines)
        assert ("a mat", "eine Matte") in texts(prepared.tokenizers, prepared.train)

    def test_what_was_begun_is_deleted_when_it_is_not_needed_any_more(
        self, corpus, make_config, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(make_config(corpus))
        with monkeypatch.context() as patch:
            patch.setattr(prepare_module, "encode_validation", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(make_config(corpus, max_length=17))
        assert run(make_config(corpus))[1][:2] == [*self.REUSED]  # back to what was there first
        assert sorted(path.name for path in (tmp_path / "runs" / "run").iterdir()) == ["corpus", "tokenizer"]

    def test_a_tokenizer_that_was_lost_and_comes_out_the_same_is_put_back(
        self, corpus, make_config, run, tmp_path: Path
    ) -> None:
        """Standing for: a training that ends without the tokenizer that its model needs."""
        folder = tmp_path / "runs" / "run"
        run(make_config(corpus, kind="word"))
        shutil.rmtree(folder / "tokenizer")
        lines = run(make_config(corpus, kind="word"))[1]
        assert lines[:2] == ["learning the tokenizer: there is none yet", "reusing the prepared corpus"]
        assert sorted(path.name for path in folder.iterdir()) == ["corpus", "tokenizer"]
        run(make_config(corpus, kind="word", vocabulary_size=4321))  # another setting, the same result
        assert run(make_config(corpus, kind="word", vocabulary_size=4321))[1][:2] == [*self.REUSED]

    def test_what_is_dropped_half_leaves_nothing_that_counts_it(
        self, corpus, make_config, run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        for module, name, limit in ((prepare_module, "encode_validation", 50), (prepare_module.shutil, "rmtree", 60)):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, die)
                with pytest.raises(KeyboardInterrupt):
                    run(make_config(corpus, max_length=limit))
        lines = run(make_config(corpus, max_length=50))[1]
        assert not any("going on with" in line for line in lines)
        assert lines[-1].startswith("5 of 5 training pairs kept")


class TestCheckpoints:
    @pytest.fixture
    def trained(self, corpus, make_config, run, tmp_path: Path) -> Path:
        run(make_config(corpus, max_length=50))
        folder = tmp_path / "runs" / "run"
        (folder / "checkpoints" / "step-00000007").mkdir(parents=True)
        return folder

    def test_their_tokenizer_is_not_replaced(self, trained: Path, corpus, make_config, run) -> None:
        before = (trained / "tokenizer" / "shared" / "vocabulary.txt").read_bytes()
        with pytest.raises(CheckpointError) as error:
            run(make_config(corpus, vocabulary_size=23))
        assert str(error.value) == (
            f"{trained / 'checkpoints'} holds a model that was trained with the tokenizer of this folder, which would "
            "have to be made anew: changed since: tokenizer.vocabulary_size; choose another folder with --output, "
            "or delete this one to start again"
        )
        assert (trained / "tokenizer" / "shared" / "vocabulary.txt").read_bytes() == before

    def test_nor_is_the_text_of_a_training_that_took_its_tokenizer_over(
        self, corpus, write_corpus, make_config, run, tmp_path: Path
    ) -> None:
        prepare(make_config(corpus), tmp_path / "other", report=lambda _: None)
        reuse = str(tmp_path / "other")
        run(make_config(corpus, reuse=reuse))
        folder = tmp_path / "runs" / "run"
        (folder / "checkpoints" / "step-00000007").mkdir(parents=True)
        assert run(make_config(corpus, reuse=reuse))[1][1] == "reusing the prepared corpus"
        changed = write_corpus("train", [*SOURCE, "a mat"], [*TARGET, "eine Matte"])
        with pytest.raises(CheckpointError, match="in the middle of a training whose training text changed since"):
            run(make_config(changed, reuse=reuse))

    def test_nor_when_it_is_damaged(self, trained: Path, corpus, make_config, run) -> None:
        (trained / "tokenizer" / "shared" / "vocabulary.txt").write_text("")
        with pytest.raises(CheckpointError, match=r"made anew: it is damaged \(.*vocabulary.txt: this is not a whole"):
            run(make_config(corpus, max_length=50))

    def test_the_corpus_may_be_encoded_again(self, trained: Path, corpus, make_config, run) -> None:
        assert run(make_config(corpus, max_length=40))[1][0] == "reusing the tokenizer"


class TestBadInput:
    """What is wrong with the files is told before anything is written."""

    def message(self, run, config: Config, tmp_path: Path, kind: type[Exception] = DataError) -> str:
        with pytest.raises(kind) as error:
            run(config)
        assert not (tmp_path / "runs" / "run").exists()
        return str(error.value)

    def test_missing_file(self, corpus, make_config, run, tmp_path: Path) -> None:
        paths = {**corpus, "target": "no/such/train.de"}
        assert self.message(run, make_config(paths), tmp_path).startswith("no/such/train.de: no such file (")

    def test_different_line_counts(self, write_corpus, make_config, run, tmp_path: Path) -> None:
        paths = write_corpus("train", SOURCE, TARGET[:3])
        text = self.message(run, make_config(paths), tmp_path)
        assert text.startswith(f"{paths['source']} has 5 lines but {paths['target']} has 3: ")

    def test_invalid_utf8(self, corpus, make_config, run, tmp_path: Path) -> None:
        Path(corpus["source"]).write_bytes(b"one\ntwo\xff\n")
        text = self.message(run, make_config(corpus), tmp_path)
        assert text == f"{corpus['source']}:2: byte 0xff is not valid UTF-8; save the file as UTF-8"

    def test_vocabulary_larger_than_the_corpus_allows(self, corpus, make_config, run, tmp_path: Path) -> None:
        config = make_config(corpus, kind="sentencepiece", vocabulary_size=8000)
        text = self.message(run, config, tmp_path, ConfigError)
        assert text.startswith("tokenizer.vocabulary_size is 8000, but the training text allows ")

    def test_damaged_gzip(self, corpus, make_config, run, tmp_path: Path) -> None:
        path = tmp_path / "train.gz"
        path.write_bytes(gzip.compress(b"abc\n" * 5)[:-9])
        text = self.message(run, make_config({"source": str(path), "target": corpus["target"]}), tmp_path)
        assert text.startswith(f"{path}: this is not a whole gzip file")


def test_any_line_end_and_mark_gives_the_same_corpus(make_config, run, tmp_path: Path) -> None:
    results = []
    for number, (mark, end) in enumerate([("", "\n"), ("\ufeff", "\n"), ("", "\r\n"), ("", "\r")]):
        paths = {}
        for side, lines in (("source", SOURCE), ("target", TARGET)):
            path = tmp_path / f"{number}.{side}"
            path.write_bytes((mark + end.join(lines) + end).encode())
            paths[side] = str(path)
        prepared, _ = run(make_config(paths))
        results.append(texts(prepared.tokenizers, prepared.train))
    assert results == [list(zip(SOURCE, TARGET, strict=True))] * 4


class TestSampling:
    @pytest.fixture
    def prepared(self, corpus, make_config, run) -> PreparedData:
        return run(make_config(corpus, **SUBWORDS, sampling=0.5))[0]

    def ids(self, corpus: EncodedCorpus) -> list[list[int]]:
        return [corpus.source(n).tolist() + corpus.target(n).tolist() for n in range(len(corpus))]

    def test_each_epoch_cuts_the_same_text_otherwise(self, prepared: PreparedData) -> None:
        epochs = [prepared.train_epoch(epoch) for epoch in (0, 1)]
        for epoch in epochs:
            assert texts(prepared.tokenizers, epoch) == list(zip(SOURCE, TARGET, strict=True))
        assert self.ids(epochs[0]) != self.ids(epochs[1])
        assert self.ids(epochs[0]) != self.ids(prepared.train)

    def test_an_epoch_depends_on_seed_and_number_alone(self, prepared: PreparedData, corpus, make_config, run) -> None:
        third = self.ids(prepared.train_epoch(3))
        prepared.train_epoch(5)
        assert self.ids(prepared.train_epoch(3)) == third
        reopened, _ = run(make_config(corpus, **SUBWORDS, sampling=0.5))
        assert self.ids(reopened.train_epoch(3)) == third
        other, _ = run(make_config(corpus, **SUBWORDS, sampling=0.5, seed=2))
        assert self.ids(other.train_epoch(3)) != third

    def test_large_corpora_are_cut_when_a_batch_needs_them(
        self, prepared: PreparedData, corpus, make_config, run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mixture, "POOL_PAIRS", 4)
        again, _ = run(make_config(corpus, **SUBWORDS, sampling=0.5))
        epochs = {number: again.train_epoch(number) for number in (0, 1)}
        drawn = {number: self.ids(epoch) for number, epoch in epochs.items()}
        for number, epoch in epochs.items():
            assert texts(again.tokenizers, epoch) == list(zip(SOURCE, TARGET, strict=True))
            assert self.ids(epoch) == drawn[number]  # in any order, any number of times
            assert epoch.source_lengths.tolist() == prepared.train.source_lengths.tolist()
        assert drawn[0] != drawn[1]
        assert drawn[0] != self.ids(prepared.train)
        batches = BatchLoader(again.train_epoch, batch_sentences=2, seed=1).epoch(1)
        rows = sorted(row for batch in batches for row in batch.indices.tolist())
        assert rows == list(range(5))

    def test_draws_keep_to_max_length(self, corpus, make_config, run) -> None:
        longest = 29
        prepared, _ = run(make_config(corpus, **SUBWORDS, sampling=0.9, max_length=longest))
        assert len(prepared.train) == 5
        for epoch in range(3):
            sampled = prepared.train_epoch(epoch)
            assert max(sampled.source_lengths.max(), sampled.target_lengths.max()) <= longest

    def test_validation_is_never_sampled(self, prepared: PreparedData) -> None:
        encode = prepared.tokenizers.source.encode
        assert [prepared.validation.source(n).tolist() for n in range(5)] == [encode(text) for text in SOURCE]


def test_multi30k_comes_back(multi30k: Path, make_config, run) -> None:
    files = {"source": str(multi30k / "val.en.gz"), "target": str(multi30k / "val.de.gz")}
    config = make_config(files, kind="sentencepiece", vocabulary_size=1009)
    prepared, _ = run(config)
    assert texts(prepared.tokenizers, prepared.validation) == [tuple(pair) for pair in read_corpus(config.data.train)]
    assert prepared.train.source(0).dtype == np.uint16
