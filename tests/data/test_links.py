"""Gold alignments, from files to the matrices of batches."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.alignment import naacl, parse_pharaoh, pharaoh
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.links import read_aligned, read_linked, read_pharaoh
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.prepare import PreparedData, prepare
from seq2seq_attn.data.tokenizers import CharacterTokenizer, Tokenizer, WordTokenizer
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.errors import DataError

SOURCES = ["the black cat sleeps", "a house", "", "you  see", "one two three four five six seven", "no links here"]
TARGETS = ["le chat noir dort", "une maison", "rien", "on voit", "un deux trois quatre cinq six sept", "sans liens"]
LINKS = ["0-0 1-2 2-1 3-3", "0-0 1-1", "", "0-0 1-1 0?1", " ".join(f"{i}-{i}" for i in range(7)), ""]

SUBWORDS = {"kind": "sentencepiece", "vocabulary_size": 61}


@pytest.fixture
def corpus(tmp_path: Path) -> dict[str, str]:
    """A text corpus with alignments."""
    files = {"source": SOURCES, "target": TARGETS, "alignments": LINKS}
    for name, lines in files.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {name: str(tmp_path / name) for name in files}


def ready(config: Config, folder: Path, said: list[str] | None = None) -> PreparedData:
    return prepare(config, folder, report=(said if said is not None else []).append)


class TestPharaoh:
    def test_links_are_read(self) -> None:
        assert parse_pharaoh("0-0 1-2\t10-3") == ([(0, 0), (1, 2), (10, 3)], [(0, 0), (1, 2), (10, 3)])

    def test_possible_links_are_not_sure(self) -> None:
        sure, possible = parse_pharaoh("1?0 0-0 2p1")
        assert sure == [(0, 0)]
        assert possible == [(0, 0), (1, 0), (2, 1)]

    @given(st.sets(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    def test_what_is_written_is_read(self, links) -> None:
        assert parse_pharaoh(pharaoh(sorted(links))).sure == sorted(links)

    @pytest.mark.parametrize("wrong", ["0", "0-", "-1-2", "0-1-2", "a-b", "1:2", "٣-١", "0-0,1-1", "1.0-2", "9" * 5000])
    def test_anything_else_names_its_line(self, tmp_path: Path, wrong: str) -> None:
        path = tmp_path / "x.align"
        path.write_text(f"0-0\n\n1-1 {wrong}\n", encoding="utf-8")
        with pytest.raises(DataError) as caught:
            list(read_pharaoh(path))
        assert str(caught.value).startswith(f"{path}:3: ")
        assert wrong[:40] in str(caught.value)
        assert "0-0 1-2" in str(caught.value)


class TestReading:
    def pairs(self) -> list[SentencePair]:
        return [SentencePair(*pair) for pair in zip(SOURCES, TARGETS, strict=True)]

    @pytest.mark.parametrize(
        ("link", "said"),
        [
            ("4-0", "4-0 leads to source word 4, but the source sentence has 4 words"),
            ("0-7", "target word 7"),
            ("2?9", "2-9"),
        ],
    )
    def test_outside_of_the_sentence(self, corpus, link: str, said: str) -> None:
        path = Path(corpus["alignments"])
        path.write_text(f"0-0 {link}\n" + "\n" * 5, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            list(read_aligned(self.pairs(), path, text="t"))
        assert str(caught.value).startswith(f"{path}:1: link ")
        assert said in str(caught.value)

    def test_a_sentence_without_words_has_no_links(self, corpus) -> None:
        Path(corpus["alignments"]).write_text("\n\n0-0\n\n\n\n", encoding="utf-8")
        with pytest.raises(DataError, match=r":3: .*source sentence has 0 words"):
            list(read_aligned(self.pairs(), corpus["alignments"], text="t"))

    @pytest.mark.parametrize("lines", [0, 1, 5, 7, 11])
    def test_another_number_of_lines(self, corpus, lines: int) -> None:
        Path(corpus["alignments"]).write_text("\n" * lines, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            list(read_aligned(self.pairs(), corpus["alignments"], text="the.text"))
        assert f"has {lines} line{'s' * (lines != 1)} but the.text has 6 sentence pairs" in str(caught.value)

    def test_missing_file(self, make_config, corpus, tmp_path: Path) -> None:
        config = make_config(corpus | {"alignments": str(tmp_path / "nowhere")}, validation=corpus)
        with pytest.raises(DataError, match="nowhere: no such file"):
            ready(config, tmp_path / "run")
        assert not (tmp_path / "run" / "corpus").exists()

    def test_every_kind_of_corpus_and_gzip(self, make_config, corpus, tmp_path: Path) -> None:
        (tmp_path / "links.gz").write_bytes(gzip.compress(Path(corpus["alignments"]).read_bytes()))
        rows = list(zip(SOURCES, TARGETS, strict=True))
        (tmp_path / "x.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in rows), encoding="utf-8")
        (tmp_path / "x.jsonl").write_text("".join(json.dumps({"s": s, "t": t}) + "\n\n" for s, t in rows), "utf-8")
        links = str(tmp_path / "links.gz")
        kinds = [
            corpus,
            corpus | {"alignments": links},
            {"tsv": str(tmp_path / "x.tsv"), "alignments": links},
            {"jsonl": str(tmp_path / "x.jsonl"), "source": "s", "target": "t", "alignments": links},
        ]
        read = [list(read_linked(make_config(kind).data.train)) for kind in kinds]
        assert all(one == read[0] for one in read)
        assert [reference.sure for _, reference in read[0]] == [parse_pharaoh(line).sure for line in LINKS]

    def test_parquet(self, make_config, corpus, tmp_path: Path) -> None:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"s": SOURCES, "t": TARGETS}), tmp_path / "x.parquet")
        table = {
            "parquet": str(tmp_path / "x.parquet"),
            "source": "s",
            "target": "t",
            "alignments": corpus["alignments"],
        }
        assert list(read_linked(make_config(table).data.train)) == list(read_linked(make_config(corpus).data.train))

    def test_each_file_has_its_own(self, make_config, corpus, tmp_path: Path) -> None:
        """Line i belongs to pair i of one file, not of all of them."""
        for name in corpus:
            (tmp_path / f"{name}2").write_text(
                {"source": "x y\n", "target": "z\n", "alignments": "1-0\n"}[name], "utf-8"
            )
        both = {name: [path, f"{path}2"] for name, path in corpus.items()}
        read = list(read_linked(make_config(both).data.train))
        assert len(read) == 7
        assert read[-1].reference.sure == [(1, 0)]
        swapped = both | {"alignments": both["alignments"][::-1]}
        with pytest.raises(DataError, match="has 1 line but"):
            list(read_linked(make_config(swapped).data.train))

    def test_as_many_files_as_there_are_of_text(self, make_config, corpus) -> None:
        with pytest.raises(ValueError, match="2 files of alignments for 1 of text"):
            make_config(corpus | {"alignments": [corpus["alignments"]] * 2})

    def test_a_corpus_without_alignments_has_no_links(self, make_config, corpus) -> None:
        plain = {name: path for name, path in corpus.items() if name != "alignments"}
        read = list(read_linked(make_config([plain, corpus]).data.train))
        assert [reference is None for _, reference in read] == [True] * 6 + [False] * 6


class TestNaacl:
    """The format of HLT-NAACL 2003: a line per link, all counted from 1."""

    def pairs(self) -> list[SentencePair]:
        return [SentencePair(*pair) for pair in zip(SOURCES, TARGETS, strict=True)]

    def write(self, path: Path, text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    def said(self, path: Path, text: str) -> str:
        with pytest.raises(DataError) as caught:
            list(read_aligned(self.pairs(), self.write(path, text), text="the.text"))
        return str(caught.value)

    def test_the_same_links_in_either_format(self, corpus, tmp_path: Path) -> None:
        references = [parse_pharaoh(line) for line in LINKS]
        lines = "".join(naacl(reference, sentence=number) for number, reference in enumerate(references, start=1))
        assert len(lines.splitlines()) == 16
        path = self.write(tmp_path / "x.wa", lines)
        assert list(read_aligned(self.pairs(), path, text="t")) == list(
            read_aligned(self.pairs(), corpus["alignments"], text="t")
        )

    def test_padded_numbers_confidences_blanks_and_the_empty_word(self, tmp_path: Path) -> None:
        text = "\n0001 1 1 S 0.9\n0001 4 4 P\n\n0001 2 0\n0001 1 1 P\n0004 2 2\n"
        found = [reference for _, reference in read_aligned(self.pairs(), self.write(tmp_path / "x", text), text="t")]
        assert found[0] == ([(0, 0)], [(0, 0), (3, 3)])
        assert found[3] == ([(1, 1)], [(1, 1)])
        assert not any(found[number].possible for number in (1, 2, 4, 5))

    def test_outside_of_the_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "x.wa"
        said = self.said(path, "1 1 1\n2 1 1\n2 3 1 P\n")
        assert said.startswith(f"{path}:3: link 3-1 leads to source word 3, but the source sentence has 2 words")
        assert "counted from 1" in said
        assert "target word 5" in self.said(path, "1 4 5\n")
        assert "source sentence has 0 words" in self.said(path, "3 1 1\n")

    def test_more_sentences_than_there_are(self, tmp_path: Path) -> None:
        said = self.said(tmp_path / "x", "6 1 1\n7 1 1\n")
        assert ":2: a link of sentence 7, but the.text has 6 sentence pairs" in said

    def test_sentences_in_disorder(self, tmp_path: Path) -> None:
        said = self.said(tmp_path / "x", "2 1 1\n1 1 1\n")
        assert ":2: a link of sentence 1 comes behind those of sentence 2; sort" in said

    def test_sentence_zero(self, tmp_path: Path) -> None:
        assert ":1: a link of sentence 0" in self.said(tmp_path / "x", "0 1 1\n")

    @pytest.mark.parametrize("wrong", ["1 1", "1 1 1 X", "1-1 2-2", "1 -1 1", "1 1 1 S 1 1"])
    def test_anything_else_names_its_line(self, tmp_path: Path, wrong: str) -> None:
        said = self.said(tmp_path / "x", f"1 1 1 S\n{wrong}\n")
        assert f"x:2: {wrong!r} is not a link" in said
        assert "1 1 1 S" in said

    def test_only_so_much_is_read_as_is_needed(self, tmp_path: Path) -> None:
        """A file of any length is read beside its text, line by line."""
        path = self.write(tmp_path / "x", "1 1 1\n2 1 1\nnonsense\n")
        aligned = read_aligned(self.pairs(), path, text="t")
        assert next(aligned).reference.sure == [(0, 0)]


class TestFromOne:
    def test_links_are_those_of_a_file_from_zero(self, corpus, tmp_path: Path) -> None:
        pairs = [SentencePair(*pair) for pair in zip(SOURCES, TARGETS, strict=True)]
        path = tmp_path / "from-one"
        path.write_text("".join(pharaoh(parse_pharaoh(line), first=1) + "\n" for line in LINKS), encoding="utf-8")
        assert list(read_aligned(pairs, path, text="t", first=1)) == list(
            read_aligned(pairs, corpus["alignments"], text="t")
        )
        with pytest.raises(DataError, match=r":1: link 4-4 .*from 0 \(a file that counts from 1 .*--one-based"):
            list(read_aligned(pairs, path, text="t"))
        with pytest.raises(DataError, match=r":1: '0-0' is not a link; links look like 1-1 2-3 .*counted from 1"):
            list(read_aligned(pairs, corpus["alignments"], text="t", first=1))

    def test_words_are_named_as_the_file_names_them(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("1-1 5-1\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"link 5-1 leads to source word 5, but .* 4 words.*counted from 1"):
            list(read_aligned([SentencePair(SOURCES[0], TARGETS[0])], tmp_path / "x", text="t", first=1))


TEXT = st.text(alphabet='ab,."( \t\u00a0▁é日', max_size=23)


def tokenizers() -> list[Tokenizer]:
    texts = [*SOURCES, *TARGETS, 'ab ba, (a) "b.a" é']
    return [
        CharacterTokenizer.train(texts, vocabulary_size=101),
        WordTokenizer.train(['ab a b, "a" (b) a.b'], vocabulary_size=101),
        WordTokenizer(["a", "b"], marks=False),
        SentencePieceTokenizer.train(texts, algorithm="bpe", vocabulary_size=61),
        SentencePieceTokenizer.train(texts, algorithm="unigram", vocabulary_size=41),
    ]


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda one: one.kind)
@given(text=TEXT)
def test_tokens_know_the_word_they_begin_in(tokenizer: Tokenizer, text: str) -> None:
    """Against the positions of the tokens in the text, also where they are unknown."""
    numbers = tokenizer.word_numbers(text)
    assert len(numbers) == len(tokenizer.encode(text))
    assert numbers == sorted(numbers)
    words = text.split()
    assert set(numbers) <= set(range(len(words) + 1))
    if any(word_end in text for word_end in ("\t", "\u00a0", "▁")):
        return  # a subword may hold a part of two words, or be spelled in two characters
    for number, word in enumerate(words):
        tokens = [token for token, of in zip(tokenizer.tokenize(text), numbers, strict=True) if of == number]
        assert "".join(tokens).replace("▁", "").replace("￭", "").replace(" ", "") == word


def expected_matrix(words: tuple[list[int], list[int]], links: list[tuple[int, int]], size: tuple[int, int]) -> list:
    """Loop over all tokens; the last rows and columns are of EOS and padding."""
    matrix = [[0.0] * size[1] for _ in range(size[0])]
    for row, target in enumerate(words[1]):
        linked = [column for column, source in enumerate(words[0]) if (source, target) in links]
        for column in linked:
            matrix[row][column] = 1 / len(linked)
    return matrix


class TestPrepared:
    @pytest.mark.parametrize("tokenizer", [{"kind": "word"}, {"kind": "character"}, SUBWORDS])
    def test_batches_have_what_a_loop_over_tokens_finds(self, make_config, corpus, tmp_path: Path, tokenizer) -> None:
        prepared = ready(make_config(corpus, **tokenizer), tmp_path / "run")
        kept = [number for number, source in enumerate(SOURCES) if source]  # the pair with an empty side is dropped
        loader = BatchLoader(prepared.train_epoch, batch_sentences=3, seed=1, with_alignment=True)
        seen = 0
        for batch in loader.epoch(0):
            shape = batch.alignment.shape
            assert shape == (batch.size, batch.target_out.shape[1], batch.source.shape[1])
            assert batch.alignment.dtype == torch.float32
            for row, number in enumerate(batch.indices.tolist()):
                line = kept[number]
                words = (
                    prepared.tokenizers.source.word_numbers(SOURCES[line]),
                    prepared.tokenizers.target.word_numbers(TARGETS[line]),
                )
                expected = expected_matrix(words, parse_pharaoh(LINKS[line]).sure, shape[1:])
                assert torch.allclose(batch.alignment[row], torch.tensor(expected))
                seen += bool(np.any(expected))
        assert seen == 4

    def test_by_hand(self, make_config, corpus, tmp_path: Path) -> None:
        prepared = ready(make_config(corpus, kind="word", shared=False), tmp_path / "run")
        matrix = prepared.train.links.matrices([0])[0]
        assert matrix.tolist() == [
            [1, 0, 0, 0, 0],
            [0, 0, 1, 0, 0],  # chat, cat
            [0, 1, 0, 0, 0],
            [0, 0, 0, 1, 0],
            [0, 0, 0, 0, 0],  # the end
        ]

    def test_long_pairs_are_dropped_with_their_links(self, make_config, corpus, tmp_path: Path) -> None:
        prepared = ready(make_config(corpus, kind="word", max_length=4), tmp_path / "run")
        assert prepared.counts.kept == 4
        links = [prepared.train.links.links[row].reshape(-1, 2).tolist() for row in range(4)]
        assert links == [[list(link) for link in parse_pharaoh(LINKS[line]).sure] for line in (0, 1, 3, 5)]

    def test_only_when_asked_for(self, make_config, corpus, tmp_path: Path) -> None:
        prepared = ready(make_config(corpus), tmp_path / "run")
        assert all(batch.alignment is None for batch in BatchLoader(prepared.train, batch_sentences=2, seed=1).epoch(0))
        plain = {name: path for name, path in corpus.items() if name != "alignments"}
        assert ready(make_config(plain), tmp_path / "other").train.links is None

    def test_no_links_at_all(self, make_config, corpus, tmp_path: Path) -> None:
        Path(corpus["alignments"]).write_text("\n" * 6, encoding="utf-8")
        prepared = ready(make_config(corpus), tmp_path / "run")
        assert not prepared.train.links.matrices([0, 1, 2]).any()

    def test_batches_move_with_their_alignment(self, make_config, corpus, tmp_path: Path) -> None:
        prepared = ready(make_config(corpus), tmp_path / "run")
        batch = next(iter(BatchLoader(prepared.train, batch_sentences=5, seed=1, with_alignment=True).epoch(0)))
        assert batch.to("meta").alignment.device.type == "meta"
        assert batch.to("meta").target_tokens == batch.target_tokens


class TestReuse:
    def test_nothing_changed(self, make_config, corpus, tmp_path: Path) -> None:
        ready(make_config(corpus), tmp_path / "run")
        said: list[str] = []
        again = ready(make_config(corpus), tmp_path / "run", said)
        assert said[:2] == ["reusing the tokenizer", "reusing the prepared corpus"]
        assert again.train.links.matrices([0]).any()

    @pytest.mark.parametrize("change", ["content", "gone"])
    def test_other_alignments_keep_the_tokenizer(self, make_config, corpus, tmp_path: Path, change: str) -> None:
        prepared = ready(make_config(corpus), tmp_path / "run")
        before = prepared.train.links.matrices([0])
        if change == "content":
            path = Path(corpus["alignments"])
            path.write_text(path.read_text().replace("1-2 2-1", "1-1 2-2"), encoding="utf-8")
        else:
            corpus = {name: path for name, path in corpus.items() if name != "alignments"}
        said: list[str] = []
        after = ready(make_config(corpus), tmp_path / "run", said).train.links
        assert said[:2] == [
            "reusing the tokenizer",
            "encoding the corpus: changed since: training alignments, validation alignments",
        ]
        assert after is None if change == "gone" else not np.array_equal(before, after.matrices([0]))

    def test_adding_them_to_a_table_keeps_the_tokenizer(self, make_config, corpus, tmp_path: Path) -> None:
        """Which columns of a table are read is a part of its text; where its alignments lie is not."""
        rows = zip(SOURCES, TARGETS, strict=True)
        (tmp_path / "x.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in rows), encoding="utf-8")
        table = {"tsv": str(tmp_path / "x.tsv")}
        ready(make_config(table), tmp_path / "run")
        said: list[str] = []
        ready(make_config(table | {"alignments": corpus["alignments"]}, validation=table), tmp_path / "run", said)
        assert said[:2] == ["reusing the tokenizer", "encoding the corpus: changed since: training alignments"]

    @pytest.mark.parametrize("name", ["links.int32", "source_words.offsets.npy", "*"])
    def test_damage_is_mended(self, make_config, corpus, tmp_path: Path, name: str) -> None:
        whole = ready(make_config(corpus), tmp_path / "run").train.links.matrices([0, 1])
        folder = tmp_path / "run" / "corpus" / "train"
        for pattern in ("links.*", "*_words.*") if name == "*" else (name,):
            for path in folder.glob(pattern):
                path.unlink()
        said: list[str] = []
        mended = ready(make_config(corpus), tmp_path / "run", said)
        assert "it is damaged" in said[1]
        assert np.array_equal(mended.train.links.matrices([0, 1]), whole)


class TestSampling:
    def test_links_follow_the_new_tokens(self, make_config, tmp_path: Path) -> None:
        """What tokens of an epoch are linked to spells, put together, the words that are linked."""
        chance = random.Random(7)
        vocabulary = ["".join(chance.choices("abcdef", k=chance.randint(1, 7))) for _ in range(31)]
        sentences = [[chance.choice(vocabulary) for _ in range(chance.randint(1, 7))] for _ in range(61)]
        lines = {
            # two spaces and a leading one are no words
            "source": ["  ".join(words) if len(words) % 2 else " " + " ".join(words) for words in sentences],
            "target": [" ".join(reversed(words)) for words in sentences],
            "alignments": [pharaoh([(i, len(words) - 1 - i) for i in range(len(words))]) for words in sentences],
        }
        for name, texts in lines.items():
            (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        corpus = {name: str(tmp_path / name) for name in lines}
        config = make_config(corpus, kind="sentencepiece", vocabulary_size=97, sampling=0.4)
        prepared = ready(config, tmp_path / "run")
        tokenizer = prepared.tokenizers.source
        cuts = set()
        for epoch in (0, 1):
            encoded = prepared.train_epoch(epoch)
            cuts.add(encoded.source(0).tobytes() + encoded.source(1).tobytes() + encoded.source(2).tobytes())
            matrices = encoded.links.matrices(list(range(len(encoded))))
            for number, words in enumerate(sentences):
                source, target = encoded.source(number).tolist(), encoded.target(number).tolist()
                spelled = []
                matrix = matrices[number, : len(target), : len(source)]
                assert matrices[number].sum() == pytest.approx(len(target))  # every token, and no more
                for _, group in itertools.groupby(range(len(target)), key=lambda row: matrix[row].tobytes()):
                    rows = list(group)
                    linked = [source[column] for column in np.flatnonzero(matrix[rows[0]])]
                    word = tokenizer.decode([target[row] for row in rows]).strip()
                    spelled.append(word)
                    assert tokenizer.decode(linked).strip() == word
                assert spelled == words[::-1]
        assert len(cuts) == 2

    def test_an_epoch_is_the_same_each_time(self, make_config, corpus, tmp_path: Path) -> None:
        config = make_config(corpus, **SUBWORDS, sampling=0.5)
        first = ready(config, tmp_path / "run")
        again = ready(config, tmp_path / "run")
        for epoch in (3, 0):
            one, two = first.train_epoch(epoch), again.train_epoch(epoch)
            assert np.array_equal(one.links.matrices([0, 2]), two.links.matrices([0, 2]))
