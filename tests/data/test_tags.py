"""Corpora with weights and tags, from the configuration to batches and translations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import settings, write_corpus

from seq2seq_attn import Translator, train
from seq2seq_attn.config import load_config
from seq2seq_attn.config.schema import Config, JsonlCorpus, ParquetCorpus, TextCorpus, TokenizerConfig, TsvCorpus
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.prepare import PreparedData, prepare
from seq2seq_attn.data.tokenizers import (
    TaggedTokenizer,
    Tokenizers,
    load_tokenizer,
    train_tokenizers,
)
from seq2seq_attn.errors import CheckpointError, ConfigError

TAGS = ("<2de>", "news")
TEXTS = ["a dog barks", "the news of a cat", "two  cats sleep, on <2de> a mat!"]
KINDS: list[dict[str, Any]] = [
    {"kind": "sentencepiece", "vocabulary_size": 37},
    {"kind": "sentencepiece", "vocabulary_size": 31, "algorithm": "unigram"},
    {"kind": "word"},
    {"kind": "character"},
]
IDS = ["bpe", "unigram", "word", "character"]


def learn(kind: dict[str, Any], *, shared: bool = True) -> Tokenizers:
    pairs = [SentencePair(text, text) for text in TEXTS]
    return train_tokenizers(TokenizerConfig(**kind, shared=shared), pairs)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
class TestTokenizers:
    @pytest.mark.parametrize("prefix", ["", "<2de> ", "news ", "news <2de> ", "<2de> <2de> "])
    def test_texts_with_tags_come_back(self, kind, prefix: str) -> None:
        plain = learn(kind).source
        tagged = learn(kind).with_tags(TAGS).source
        size = len(plain)
        for text in TEXTS:
            ids = tagged.encode(prefix + text)
            # the ids of the tags, and the text as if there were no tags
            assert ids == [size + TAGS.index(tag) for tag in prefix.split()] + plain.encode(text)
            assert tagged.decode(ids) == prefix + text
            assert tagged.tokenize(prefix + text) == [*prefix.split(), *plain.tokenize(text)]
            assert [tagged.id_to_token(number) for number in ids[: len(prefix.split())]] == prefix.split()
            surfaces = "".join(map(tagged.surface, ids)).strip()
            assert surfaces == tagged.spell(prefix + text)
            # tags are words of the text
            words = len(prefix.split())
            expected = [*range(words), *(words + number for number in plain.word_numbers(text))]
            assert tagged.word_numbers(prefix + text) == expected
            numbers, units = tagged.units(prefix + text)
            assert units == prefix.split() + plain.units(text)[1]
            assert numbers == [*range(words), *(words + number for number in plain.units(text)[0])]

    @pytest.mark.parametrize("text", ["a <2de>", " <2de> a", "<2de>a", "<2de>\ta", "a news"])
    def test_elsewhere_a_tag_is_text(self, kind, text: str) -> None:
        assert learn(kind).with_tags(TAGS).source.encode(text) == learn(kind).source.encode(text)

    def test_a_tag_alone(self, kind) -> None:
        tagged = learn(kind).with_tags(TAGS).source
        assert tagged.encode("news") == [len(tagged) - 1]
        assert tagged.decode([len(tagged) - 1]) == "news"

    @pytest.mark.parametrize("shared", [True, False])
    def test_saved_and_loaded(self, kind, shared: bool, tmp_path: Path) -> None:
        saved = learn(kind, shared=shared).with_tags(TAGS)
        saved.save(tmp_path)
        loaded = Tokenizers.load(tmp_path)
        assert loaded.shared == shared
        assert loaded.source.encode("news a dog") == saved.source.encode("news a dog")
        assert (len(loaded.source), loaded.source.kind) == (len(saved.source), saved.source.kind)
        # only sources are tagged: a vocabulary of the target language alone needs no tags
        assert (len(loaded.target) == len(saved.source)) == shared
        assert loaded.source.token_to_id("news") == len(saved.source) - 1

    def test_more_tags_change_no_id(self, kind) -> None:
        once = learn(kind).with_tags(TAGS)
        twice = once.with_tags(("<2fr>", "news")).source
        assert twice.encode("news <2de> a") == once.source.encode("news <2de> a")
        assert twice.encode("<2fr> a")[0] == len(once.source)
        assert learn(kind).with_tags(()).source.encode("a") == learn(kind).source.encode("a")
        assert not isinstance(learn(kind).with_tags(()).source, TaggedTokenizer)


@given(st.text(max_size=20), st.lists(st.sampled_from(TAGS), max_size=3))
def test_any_text_behind_tags(text: str, tags: list[str]) -> None:
    tokenizer = learn({"kind": "character"}).source
    found, rest = TaggedTokenizer(tokenizer, TAGS).split_tags(" ".join([*tags, f"x{text}"]))
    assert (found, rest) == (tags, f"x{text}")


def test_tags_once_each(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each tag once"):
        TaggedTokenizer(learn({"kind": "character"}).source, ["a", "a"])


@pytest.mark.parametrize("content", ["{", '{"a": 1}', '["a", "a"]', "[1]"])
def test_damaged_tags(tmp_path: Path, content: str) -> None:
    learn({"kind": "character"}).with_tags(TAGS).source.save(tmp_path)
    (tmp_path / "tags.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tags\.json: "):
        load_tokenizer(tmp_path)


class TestCorpora:
    def test_every_format_can_be_tagged(self, tmp_path: Path) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        (tmp_path / "a.src").write_text("one\n\n")
        (tmp_path / "a.tgt").write_text("um\ndois\n")
        (tmp_path / "a.tsv").write_text("one\tum\n\tdois\n")
        (tmp_path / "a.jsonl").write_text('{"s": "one", "t": "um"}\n{"s": "", "t": "dois"}\n')
        parquet.write_table(pyarrow.table({"s": ["one", ""], "t": ["um", "dois"]}), tmp_path / "a.parquet")
        paths = {name: (str(tmp_path / f"a.{name}"),) for name in ("src", "tgt", "tsv", "jsonl", "parquet")}
        for corpus in (
            TextCorpus(source=paths["src"], target=paths["tgt"], tag="<x>"),
            TsvCorpus(tsv=paths["tsv"], tag="<x>"),
            JsonlCorpus(jsonl=paths["jsonl"], source="s", target="t", tag="<x>"),
            ParquetCorpus(parquet=paths["parquet"], source="s", target="t", tag="<x>"),
        ):
            assert list(read_corpus(corpus)) == [("<x> one", "um"), ("<x> ", "dois")]
            assert list(read_corpus([corpus])) == [("<x> one", "um"), ("<x> ", "dois")]

    def test_alignments_count_the_tag(self, tmp_path: Path) -> None:
        for name, line in (("src", "one two"), ("tgt", "dois um"), ("align", "0-1 1?0")):
            (tmp_path / name).write_text(f"{line}\n")
        files = {name: (str(tmp_path / file),) for name, file in (("source", "src"), ("target", "tgt"))}
        corpus = TextCorpus(**files, alignments=(str(tmp_path / "align"),), tag="<x>")
        ((pair, reference),) = read_linked([corpus])
        assert pair == ("<x> one two", "dois um")
        assert reference is not None
        assert reference.sure == [(1, 1)]
        assert sorted(reference.possible) == [(1, 1), (2, 0)]


def run(config: Config, folder: Path) -> PreparedData:
    return prepare(config, folder, report=lambda _: None)


@pytest.fixture
def mixed(write_corpus, make_config):
    def mixed(**tokenizer: Any) -> Config:
        german = write_corpus("de", ["a dog", "", "a cat", "the cat"], ["ein Hund", "leer", "eine Katze", "die Katze"])
        french = write_corpus("fr", ["a dog", "the mat"], ["un chien", "le tapis"])
        parts = [{**german, "tag": "<2de>"}, {**french, "tag": "<2fr>", "weight": 3.0}]
        validation = [{**german, "tag": "<2de>"}, french]
        return make_config(parts, validation, **tokenizer)

    return mixed


class TestPreparation:
    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("kind", KINDS, ids=IDS)
    def test_corpora_are_mixed_with_their_tags(self, mixed, tmp_path: Path, kind, shared: bool) -> None:
        kind = kind | {"shared": shared} | ({"vocabulary_size": 25} if kind["kind"] == "sentencepiece" else {})
        if not shared and "algorithm" in kind:
            kind["algorithm"] = "bpe"  # there is too little text of one language for unigrams
        prepared = run(mixed(**kind), tmp_path)
        source, target = prepared.tokenizers.source, prepared.tokenizers.target
        corpus = prepared.train
        found = [(source.decode(corpus.source(row)), target.decode(corpus.target(row))) for row in range(len(corpus))]
        assert found == [
            ("<2de> a dog", "ein Hund"),
            ("<2de> a cat", "eine Katze"),
            ("<2de> the cat", "die Katze"),
            ("<2fr> a dog", "un chien"),
            ("<2fr> the mat", "le tapis"),
        ]
        assert prepared.counts.empty == 1  # a tag is no text
        assert [source.decode(prepared.validation.source(row)) for row in (0, 1, 4)] == [
            "<2de> a dog",
            "<2de>",
            "a dog",
        ]
        again = run(mixed(**kind), tmp_path)
        for one in (prepared, again):
            batches = BatchLoader(one.train_epoch, batch_sentences=2, seed=1).epoch(0)
            rows = Counter(row for batch in batches for row in batch.indices.tolist())
            assert rows == {0: 1, 1: 1, 2: 1, 3: 3, 4: 3}

    def test_tags_stay_whole_where_words_are_cut_at_random(self, mixed, tmp_path: Path) -> None:
        prepared = run(mixed(kind="sentencepiece", vocabulary_size=31, sampling=0.5), tmp_path)
        source = prepared.tokenizers.source
        for number in range(3):
            epoch = prepared.train_epoch(number)
            assert [source.id_to_token(int(epoch.source(row)[0])) for row in range(5)] == ["<2de>"] * 3 + ["<2fr>"] * 2
            assert [source.decode(epoch.source(row)) for row in (0, 4)] == ["<2de> a dog", "<2fr> the mat"]
            assert [part.weight for part in epoch.parts] == [1, 3]

    def test_a_changed_weight_encodes_nothing_again(self, mixed, tmp_path: Path) -> None:
        config = mixed()
        run(config, tmp_path)
        first, second = config.data.train
        data = config.data.model_copy(update={"train": (first, second.model_copy(update={"weight": 0.5}))})
        lines: list[str] = []
        prepared = prepare(config.model_copy(update={"data": data}), tmp_path, report=lines.append)
        assert lines[:2] == ["reusing the tokenizer", "reusing the prepared corpus"]
        assert prepared.train.parts == ((3, 1.0), (2, 0.5))

    def test_a_changed_tag_encodes_again(self, mixed, tmp_path: Path) -> None:
        config = mixed()
        run(config, tmp_path)
        first, second = config.data.train
        data = config.data.model_copy(update={"train": (first, second.model_copy(update={"tag": "<2de>"}))})
        lines: list[str] = []
        prepare(config.model_copy(update={"data": data}), tmp_path, report=lines.append)
        assert lines[0] == "learning the tokenizer: changed since: tags"
        assert lines[1] == "encoding the corpus: changed since: training tags, tokenizer"

    def test_a_tokenizer_that_is_taken_over_gets_the_tags(
        self, mixed, write_corpus, make_config, tmp_path: Path
    ) -> None:
        other = run(make_config(write_corpus("other", TEXTS, TEXTS)), tmp_path / "other").tokenizers.source
        source = run(mixed(reuse=str(tmp_path / "other")), tmp_path / "run").tokenizers.source
        assert len(source) == len(other) + 2
        assert source.encode("<2fr> a dog") == [len(other) + 1, *other.encode("a dog")]


class TestConfiguration:
    def complaint(self, tmp_path: Path, text: str) -> str:
        path = tmp_path / "exp.yaml"
        path.write_text(f"data:\n  source_language: en\n  target_language: de\n{text}")
        with pytest.raises(ConfigError) as error:
            load_config(path)
        return str(error.value)

    def test_a_tag_that_nothing_is_learned_of(self, tmp_path: Path) -> None:
        text = self.complaint(
            tmp_path,
            "  train: [{tsv: a, tag: <2de>}, {tsv: b, tag: <2fr>}]\n"
            "  validation:\n    - {tsv: c, tag: <2de>}\n    - tsv: d\n      tag: <2dd>\n"
            "  test:\n    news:\n      tsv: e\n      tag: <2pt>\n",
        )
        assert "line 8: data.validation[1].tag: nothing is learned of the tag '<2dd>'; did you mean '<2de>'?" in text
        assert "line 12: data.test.news.tag: nothing is learned of the tag '<2pt>'" in text
        assert "; those of data.train are <2de>, <2fr>" in text

    def test_there_are_no_tags(self, tmp_path: Path) -> None:
        text = self.complaint(tmp_path, "  train: {tsv: a}\n  validation:\n    tsv: c\n    tag: <2de>\n")
        assert "line 7: data.validation.tag: nothing is learned of the tag '<2de>'; data.train has none" in text

    @pytest.mark.parametrize("tag", ["two words", "''", "' '", '"a\\tb"'])
    def test_a_tag_is_one_word(self, tmp_path: Path, tag: str) -> None:
        text = self.complaint(tmp_path, f"  train:\n    tsv: a\n    tag: {tag}\n  validation: {{tsv: a}}\n")
        assert "line 6: data.train.tag: expected one word, such as <2de>" in text

    @pytest.mark.parametrize("weight", ["0", "-1", ".inf", "often"])
    def test_a_weight_is_a_number_above_0(self, tmp_path: Path, weight: str) -> None:
        text = self.complaint(tmp_path, f"  train:\n    tsv: a\n    weight: {weight}\n  validation: {{tsv: a}}\n")
        assert "line 6: data.train.weight: expected a " in text

    def test_only_training_text_has_a_weight(self, tmp_path: Path) -> None:
        text = self.complaint(tmp_path, "  train: {tsv: a}\n  validation:\n    tsv: c\n    weight: 2\n")
        assert "line 7: data.validation.weight: only what is learned from is seen more or less often" in text


def test_from_training_to_translations(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    tree = settings(tmp_path, {"training.max_epochs": 1})
    tree["data"]["train"] = [
        {**tree["data"]["train"], "tag": "<one>"},
        {**tree["data"]["test"]["test"], "tag": "<two>", "weight": 0.5},
    ]
    tree["data"]["validation"]["tag"] = "<one>"
    tree["data"]["test"]["test"]["tag"] = "<two>"
    train(Config.model_validate(tree), output=tmp_path / "run")
    translator = Translator.load(tmp_path / "run", device="cpu")
    with_tag, without = translator.translate(["<two> three four", "three four"])
    assert with_tag.source_tokens[:3] == ("<two>", "three", "four")
    assert without.source_tokens[:2] == ("three", "four")
    assert with_tag.attention.shape[1] == without.attention.shape[1] + 1
