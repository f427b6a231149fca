from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seq2seq_attn.config.schema import TokenizerConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.tokenizers import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    UNKNOWN_TEXT,
    CharacterTokenizer,
    Tokenizer,
    Tokenizers,
    WordTokenizer,
    load_tokenizer,
    train_tokenizers,
)
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer, escape, unescape
from seq2seq_attn.data.tokenizers.word import join_words, split_words
from seq2seq_attn.errors import CheckpointError, ConfigError, DataError

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Der schnelle braune Fuchs, der über den faulen Hund sprang!",
    'O "João" não viu — às 3.50 — a maçã d\'água?',
    "a  b   c \u00a0 d\t\te  ",
    " leading; trailing ",
    "<s> </s> <unk> <pad> &lt;s>",
    "▁ ▅ ￭ \ue000 \ue0001 ￭x￭ \\n \\",
    "नमस्ते दुनिया e\u0301te\u0301 می\u200cخواهم 中文字符",
    "line\u2028separator next\x85line nul\0nul \ufeff",
]
CHARACTERS = sorted(set("".join(TEXTS)))
SEEN = st.text(st.sampled_from(CHARACTERS), max_size=29)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=29)


def sentencepiece(algorithm: str) -> SentencePieceTokenizer:
    return SentencePieceTokenizer.train([*TEXTS, *CHARACTERS], algorithm=algorithm, vocabulary_size=137)


@pytest.fixture(scope="module", params=["bpe", "unigram", "character"])
def open_tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """A tokenizer that knows every text of its characters."""
    if request.param == "character":
        return CharacterTokenizer.train(TEXTS, vocabulary_size=1009)
    return sentencepiece(request.param)


@pytest.fixture(scope="module", params=["bpe", "unigram", "character", "word"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "character":
        return CharacterTokenizer.train(TEXTS, vocabulary_size=1009)
    if request.param == "word":
        return WordTokenizer.train(TEXTS, vocabulary_size=1009)
    return sentencepiece(request.param)


class TestEveryKind:
    @pytest.mark.parametrize("text", TEXTS)
    def test_training_text_comes_back(self, tokenizer: Tokenizer, text: str) -> None:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert not set(ids) & {PAD, UNK, BOS, EOS}  # nothing unknown, and "</s>" in a text does not end it
        assert [tokenizer.token_to_id(token) for token in tokenizer.tokenize(text)] == ids
        assert [tokenizer.id_to_token(number) for number in ids] == tokenizer.tokenize(text)

    def test_special_symbols_have_fixed_ids_and_no_text(self, tokenizer: Tokenizer) -> None:
        assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
        for number, name in enumerate(["<pad>", "<unk>", "<s>", "</s>"]):
            assert tokenizer.id_to_token(number) == name
            assert tokenizer.token_to_id(name) == number
            assert not tokenizer.is_word_start(number)
        ids = tokenizer.encode(TEXTS[0])
        assert tokenizer.decode([BOS, *ids[:3], PAD, *ids[3:], EOS, PAD]) == TEXTS[0]
        assert tokenizer.decode([UNK]) == UNKNOWN_TEXT
        assert tokenizer.decode([]) == ""
        assert tokenizer.decode([BOS, EOS]) == ""

    @given(text=ANY)
    def test_any_text_can_be_encoded(self, tokenizer: Tokenizer, text: str) -> None:
        ids = tokenizer.encode(text)
        assert not set(ids) & {PAD, BOS, EOS}
        assert all(0 <= number < len(tokenizer) for number in ids)
        if UNK not in ids:
            assert tokenizer.decode(ids) == text

    def test_lone_surrogates_are_unknown_and_not_an_error(self, tokenizer: Tokenizer) -> None:
        assert UNK in tokenizer.encode("a \ud83d b")

    def test_empty_text(self, tokenizer: Tokenizer) -> None:
        assert tokenizer.encode("") == []
        assert tokenizer.tokenize("") == []

    def test_a_batch_is_its_sentences(self, tokenizer: Tokenizer) -> None:
        assert tokenizer.encode_batch(TEXTS) == [tokenizer.encode(text) for text in TEXTS]
        assert tokenizer.encode_batch([]) == []

    def test_saved_and_loaded_it_is_the_same(self, tokenizer: Tokenizer, tmp_path: Path) -> None:
        tokenizer.save(tmp_path / "a" / "b")
        loaded = load_tokenizer(tmp_path / "a" / "b")
        assert type(loaded) is type(tokenizer)
        assert len(loaded) == len(tokenizer)
        for number in range(len(tokenizer)):
            assert loaded.id_to_token(number) == tokenizer.id_to_token(number)
        assert loaded.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)

    @pytest.mark.parametrize("kind", [WordTokenizer, CharacterTokenizer])
    def test_training_twice_writes_the_same_bytes(self, kind: type[WordTokenizer], tmp_path: Path) -> None:
        for folder in ("one", "two"):
            kind.train(TEXTS, vocabulary_size=1009).save(tmp_path / folder)
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@given(text=SEEN)
def test_any_text_of_known_characters_comes_back(open_tokenizer: Tokenizer, text: str) -> None:
    ids = open_tokenizer.encode(text)
    assert open_tokenizer.decode(ids) == text
    assert not set(ids) & {PAD, UNK, BOS, EOS}


class TestWords:
    def test_marks_as_the_documentation_shows_them(self) -> None:
        tokens = ["Well", "￭,", '"￭', "3", "￭.￭", "5", '￭"', "(￭", "ok", "￭)￭", "."]
        assert split_words('Well, "3.5" (ok).') == tokens
        assert join_words(tokens) == 'Well, "3.5" (ok).'

    @given(ANY)
    def test_words_come_back_with_their_spacing(self, text: str) -> None:
        tokens = split_words(text)
        assert join_words(tokens) == text
        assert "" not in tokens

    @given(st.text(st.sampled_from("ab .,-￭\ue000j\t\n\u00a0\u2028\u0301é"), max_size=13))
    def test_awkward_spacing_comes_back(self, text: str) -> None:
        assert join_words(split_words(text)) == text

    @given(st.lists(SEEN.filter(bool), min_size=1, max_size=5))
    def test_what_was_trained_on_is_known(self, texts: list[str]) -> None:
        tokenizer = WordTokenizer.train(texts, vocabulary_size=1009)
        for text in texts:
            assert UNK not in tokenizer.encode(text)
            assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_a_word_is_one_token_whatever_stands_around_it(self) -> None:
        for text in ("dog", "dog.", "(dog)", "a dog", 'the "dog"!'):
            assert "dog" in split_words(text)

    def test_combining_marks_stay_in_their_word(self) -> None:
        # str.isalnum and \w alone would cut Hindi and decomposed accents apart
        assert split_words("नमस्ते e\u0301te\u0301") == ["नमस्ते", "e\u0301te\u0301"]

    def test_unknown_words_are_visible(self) -> None:
        tokenizer = WordTokenizer.train(["a dog ."], vocabulary_size=101)
        assert tokenizer.decode(tokenizer.encode("a cat .")) == f"a {UNKNOWN_TEXT} ."

    def test_frequency_decides_then_the_alphabet(self) -> None:
        text = ["c c c b b a a d"]
        assert WordTokenizer.train(text, vocabulary_size=101).tokens == (*SPECIALS, "c", "a", "b", "d")
        assert WordTokenizer.train(text, vocabulary_size=6).tokens == (*SPECIALS, "c", "a")
        assert WordTokenizer.train(text, vocabulary_size=101, minimum_frequency=3).tokens == (*SPECIALS, "c")

    def test_without_marks_spaces_separate(self) -> None:
        tokenizer = WordTokenizer(["don't", ",", "<b>"], marks=False)
        assert tokenizer.tokenize("don't , <b>") == ["don't", ",", "<b>"]
        assert tokenizer.decode(tokenizer.encode("don't , <b>")) == "don't , <b>"
        assert tokenizer.encode("</s> <pad>") == [UNK, UNK]

    def test_word_starts(self) -> None:
        tokenizer = WordTokenizer.train(
            ['a "dog", b  c'], vocabulary_size=101
        )  # tokens: a "￭ dog ￭"￭ , b (two spaces) c
        starts = {token for token in tokenizer.tokens if tokenizer.is_word_start(tokenizer.token_to_id(token))}
        assert starts == {"a", '"￭', "dog", ",", "b", "c"}

    def test_loading_needs_no_torchtext(self, tmp_path: Path) -> None:
        WordTokenizer.train(TEXTS, vocabulary_size=101).save(tmp_path)
        script = (
            "import sys, pathlib; sys.modules['torchtext'] = None\n"
            "from seq2seq_attn.data.tokenizers import load_tokenizer\n"
            f"print(len(load_tokenizer(pathlib.Path({str(tmp_path)!r}))))"
        )
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert int(result.stdout) == len(load_tokenizer(tmp_path))


class TestCharacters:
    def test_frequency_decides_then_the_code_point(self) -> None:
        assert CharacterTokenizer.train(["ccba ab"], vocabulary_size=7).tokens == (*SPECIALS, "a", "b", "c")
        assert CharacterTokenizer.train(["aab"], vocabulary_size=97, minimum_frequency=2).tokens[4:] == ("a",)

    def test_spaces_begin_words(self) -> None:
        tokenizer = CharacterTokenizer.train(["a b"], vocabulary_size=97)
        assert [tokenizer.is_word_start(number) for number in tokenizer.encode("a b")] == [False, True, False]


class TestSentencePiece:
    def test_word_starts(self) -> None:
        tokenizer = sentencepiece("bpe")
        ids = tokenizer.encode("The quick dog")
        starts = [tokenizer.is_word_start(number) for number in ids]
        assert starts[0]
        assert sum(starts) == 3

    @given(ANY)
    def test_escaping(self, text: str) -> None:
        assert unescape(escape(text)) == text
        assert not set(escape(text)) & set("▁▅\t\n\r\0")

    @pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
    def test_text_full_of_special_symbols(self, algorithm: str) -> None:
        # a vocabulary must not learn "<s>" as a subword of its own: the name is taken
        tokenizer = SentencePieceTokenizer.train(
            ["<s> </s> <unk> <pad>"] * 503, algorithm=algorithm, vocabulary_size=16
        )
        ids = tokenizer.encode("<s> </s> <unk> <pad>")
        assert not set(ids) & {PAD, UNK, BOS, EOS}
        assert tokenizer.decode(ids) == "<s> </s> <unk> <pad>"

    @pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
    def test_vocabulary_larger_than_the_corpus_allows(self, algorithm: str) -> None:
        def train(size: int) -> SentencePieceTokenizer:
            return SentencePieceTokenizer.train(TEXTS, algorithm=algorithm, vocabulary_size=size)

        with pytest.raises(ConfigError) as error:
            train(10_007)
        start, number, end = str(error.value).partition(" at most")[0].rpartition(" ")
        assert start == "tokenizer.vocabulary_size is 10007, but the training text allows"
        assert str(error.value).endswith(f"allows {end} at most; make it smaller or train on more text")
        largest = int(end)
        assert len(train(largest)) == largest  # the number named really is one that works
        assert number == " "

    def test_vocabulary_smaller_than_the_characters(self) -> None:
        with pytest.raises(ConfigError) as error:
            SentencePieceTokenizer.train(TEXTS, algorithm="bpe", vocabulary_size=11)
        assert str(error.value).startswith(
            "tokenizer.vocabulary_size is 11, but the characters of the training text need "
        )
        assert str(error.value).endswith(" at least; make it larger or lower tokenizer.character_coverage")

    @pytest.mark.parametrize("texts", [[], ["", ""]])
    def test_nothing_to_learn_from(self, texts: list[str]) -> None:
        with pytest.raises(DataError, match="the tokenizer has no text to learn from"):
            SentencePieceTokenizer.train(texts, algorithm="bpe", vocabulary_size=11)

    def test_two_processes_learn_the_same_without_a_word(self, tmp_path: Path) -> None:
        script = (
            "import pathlib, sys\n"
            "from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer\n"
            f"texts = {TEXTS!r} * 7 + ['x' * 100_003]\n"
            "for algorithm in ('bpe', 'unigram'):\n"
            "    made = SentencePieceTokenizer.train(texts, algorithm=algorithm, vocabulary_size=113)\n"
            "    made.save(pathlib.Path(sys.argv[1]) / algorithm)\n"
        )
        for folder in ("one", "two"):
            result = subprocess.run(
                [sys.executable, "-c", script, str(tmp_path / folder)], capture_output=True, text=True, check=True
            )
            assert (result.stdout, result.stderr) == ("", "")  # the library is talkative unless told otherwise
        for algorithm in ("bpe", "unigram"):
            one, two = ((tmp_path / folder / algorithm / "sentencepiece.model") for folder in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()


class TestPair:
    PAIRS = (SentencePair("a dog", "ein Hund"), SentencePair("a cat", "eine Katze"))

    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("kind", ["sentencepiece", "word", "character"])
    def test_one_for_each_language_or_one_for_both(self, kind: str, shared: bool, tmp_path: Path) -> None:
        config = TokenizerConfig(kind=kind, shared=shared, vocabulary_size=23)
        tokenizers = train_tokenizers(config, self.PAIRS)
        assert tokenizers.shared is shared
        assert UNK not in tokenizers.source.encode("a dog")
        assert UNK not in tokenizers.target.encode("ein Hund")
        assert (UNK not in tokenizers.source.encode("Katze")) is shared
        tokenizers.save(tmp_path)
        loaded = Tokenizers.load(tmp_path)
        assert loaded.shared is shared
        for text in ("a dog", "eine Katze"):
            assert loaded.source.encode(text) == tokenizers.source.encode(text)
            assert loaded.target.encode(text) == tokenizers.target.encode(text)

    def test_options_reach_the_tokenizer(self) -> None:
        config = TokenizerConfig(kind="word", minimum_frequency=2, vocabulary_size=23)
        assert train_tokenizers(config, self.PAIRS).source.id_to_token(4) == "a"
        assert len(train_tokenizers(config, self.PAIRS).source) == 5
        text = [SentencePair("a" * 997, "z")]
        for coverage, is_known in ((1.0, True), (0.98, False)):  # the rarest characters are not covered
            config = TokenizerConfig(algorithm="unigram", character_coverage=coverage, vocabulary_size=7)
            tokenizer = train_tokenizers(config, text).source
            assert isinstance(tokenizer, SentencePieceTokenizer)
            assert (UNK not in tokenizer.encode("z")) is is_known

    def test_coverage_out_of_range(self) -> None:
        with pytest.raises(ConfigError, match=r"tokenizer.character_coverage must lie between 0.98 and 1"):
            train_tokenizers(TokenizerConfig(character_coverage=0.5, vocabulary_size=23), self.PAIRS)


class TestDamage:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        WordTokenizer.train(TEXTS, vocabulary_size=101).save(tmp_path / "word")
        sentencepiece("bpe").save(tmp_path / "pieces")
        return tmp_path

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError) as error:
            Tokenizers.load(tmp_path / "tokenizer")
        expected = tmp_path / "tokenizer" / "source"
        assert str(error.value) == f"{expected}: there is no tokenizer here (tokenizer.json is missing)"

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("{", "the settings of the tokenizer cannot be read"),
            ("[]", "does not describe a tokenizer that this version knows"),
            ('{"kind": "bytes"}', "does not describe a tokenizer that this version knows"),
            ('{"kind": "word"}', "does not describe a tokenizer that this version knows"),
            (b"\xff", "the settings of the tokenizer cannot be read"),
        ],
    )
    def test_settings(self, folder: Path, content: str | bytes, complaint: str) -> None:
        path = folder / "word" / "tokenizer.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(CheckpointError) as error:
            load_tokenizer(path.parent)
        assert str(error.value).startswith(f"{path}: ")
        assert complaint in str(error.value)

    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data[: len(data) // 2],  # cut within a line
            lambda data: data[:-1],
            lambda data: data.replace(b"<pad>\n", b"", 1),
            lambda data: data + b"The\n",
            lambda data: b"",
            lambda data: b"\xff" + data,
        ],
    )
    def test_vocabulary(self, folder: Path, change) -> None:
        path = folder / "word" / "vocabulary.txt"
        path.write_bytes(change(path.read_bytes()))
        with pytest.raises(CheckpointError) as error:
            load_tokenizer(path.parent)
        assert str(error.value).startswith(f"{path}: ")

    @pytest.mark.parametrize("change", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"no" * 31])
    def test_model(self, folder: Path, change) -> None:
        path = folder / "pieces" / "sentencepiece.model"
        path.write_bytes(change(path.read_bytes()))
        with pytest.raises(CheckpointError) as error:
            load_tokenizer(path.parent)
        assert str(error.value).startswith(f"{path}: this is not a whole sentencepiece model")

    def test_foreign_model(self, folder: Path) -> None:
        import io

        import sentencepiece as library

        model = io.BytesIO()
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=89, minloglevel=3
        )
        path = folder / "pieces" / "sentencepiece.model"
        path.write_bytes(model.getvalue())
        with pytest.raises(CheckpointError, match="this sentencepiece model was not trained by this package"):
            load_tokenizer(path.parent)

    def test_vocabulary_file_is_readable(self, folder: Path) -> None:
        lines = (folder / "word" / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
        assert lines[:4] == list(SPECIALS)
        assert json.loads((folder / "word" / "tokenizer.json").read_text()) == {"kind": "word", "marks": True}


def test_a_vocabulary_names_each_token_once() -> None:
    with pytest.raises(ValueError, match="each token once"):
        WordTokenizer(["a", "b", "a"])


@given(st.lists(ANY, unique=True, max_size=11))
def test_tokens_of_any_characters_survive_the_file(tmp_path_factory, tokens: list[str]) -> None:
    assume("" not in tokens)
    folder = tmp_path_factory.mktemp("vocabulary")
    tokenizer = WordTokenizer(tokens)
    tokenizer.save(folder)
    loaded = load_tokenizer(folder)
    assert isinstance(loaded, WordTokenizer)
    assert loaded.tokens == tokenizer.tokens
