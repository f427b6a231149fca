"""A program of torchtext's time goes on here."""

from __future__ import annotations

import random
import ssl
from pathlib import Path

import pytest
import torch
from torchtext.data import BucketIterator, Example, Field
from torchtext.data import Dataset as TorchtextDataset
from torchtext.datasets import TranslationDataset
from torchtext.vocab import Vocab

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.tokenizers import EOS, SPECIALS, UNK, WordTokenizer
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.data.torchtext_interop import (
    build_vocabulary,
    from_torchtext_dataset,
    from_torchtext_field,
    from_torchtext_fields,
    from_torchtext_iterator,
    from_torchtext_vocab,
    pretrained_vectors,
    to_torchtext_vocab,
)
from seq2seq_attn.errors import DataError

ENGLISH = ["A dog barks .", "The cat sleeps on the mat .", "Two dogs", "A cat", "The dog sleeps", "A mat ."] * 3
GERMAN = [
    "Ein Hund bellt .",
    "Die Katze schläft auf der Matte .",
    "Zwei Hunde",
    "Eine Katze",
    "Der Hund schläft",
    "Eine Matte .",
] * 3


def words(text: str) -> list[str]:
    """The tokenizer of countless tutorials, without spaCy."""
    return text.split()


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    for side, lines in (("en", ENGLISH), ("de", GERMAN)):
        (tmp_path / f"train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(tmp_path / "train")


@pytest.mark.parametrize("include_lengths", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("pad_first", [True, False])
def test_a_script_of_its_time_end_to_end(
    prefix: str, include_lengths: bool, batch_first: bool, pad_first: bool
) -> None:
    options = {"tokenize": words, "lower": True, "batch_first": batch_first, "pad_first": pad_first}
    SRC = Field(init_token="<sos>", eos_token="<eos>", include_lengths=include_lengths, **options)
    TRG = Field(init_token="<sos>", eos_token="<eos>", **options)
    train_data = TranslationDataset(prefix, exts=(".en", ".de"), fields=(("src", SRC), ("trg", TRG)))
    SRC.build_vocab(train_data, min_freq=4)
    TRG.build_vocab(train_data)
    random.seed(5)
    (train_iterator,) = BucketIterator.splits(
        (train_data,),
        batch_size=5,
        sort_within_batch=True,
        sort_key=lambda pair: len(pair.src),
        device=torch.device("cpu"),
    )

    # from here on it is ours
    tokenizers = from_torchtext_fields(SRC, TRG)
    pairs = list(from_torchtext_dataset(train_data))
    batches = list(from_torchtext_iterator(train_iterator))

    assert pairs == [(s.lower(), t.lower()) for s, t in zip(ENGLISH, GERMAN, strict=True)]
    assert len(tokenizers.source) == len(SRC.vocab)
    assert not tokenizers.shared
    assert sorted(batch.size for batch in batches) == [3, 5, 5, 5]
    assert [number for batch in batches for number in batch.indices.tolist()] == list(range(18))
    seen = []
    for batch in batches:
        for row in range(batch.size):
            source = batch.source[row][batch.source_mask[row]].tolist()
            target = batch.target_out[row][batch.target_mask[row]].tolist()
            assert source[-1] == target[-1] == EOS
            seen.append((tuple(source[:-1]), tuple(target[:-1])))
    expected = [(tuple(tokenizers.source.encode(s)), tuple(tokenizers.target.encode(t))) for s, t in pairs]
    assert sorted(seen) == sorted(expected)
    assert any(UNK in source for source, _ in seen)  # the words that were too rare stay unknown
    assert tokenizers.target.decode(tokenizers.target.encode(GERMAN[1].lower())) == GERMAN[1].lower()


def test_our_batches_are_the_same(prefix: str) -> None:
    SRC = Field(tokenize=words, init_token="<s>", eos_token="</s>")
    train_data = TranslationDataset(prefix, exts=(".en", ".de"), fields=(("a", SRC), ("b", SRC)))
    SRC.build_vocab(train_data)
    iterator = BucketIterator(train_data, batch_size=18, sort=False, shuffle=False, train=False)
    (theirs,) = from_torchtext_iterator(iterator, source="a", target="b")
    tokenizers = from_torchtext_fields(SRC, SRC)
    assert tokenizers.shared
    pairs = list(from_torchtext_dataset(train_data, source="a", target="b"))
    encoded = [(tokenizers.source.encode(pair.source), tokenizers.target.encode(pair.target)) for pair in pairs]
    ours = collate([source for source, _ in encoded], [target for _, target in encoded], range(18))
    assert isinstance(theirs, Batch)
    assert theirs.alignment is None
    assert ours.alignment is None
    for name in set(vars(theirs)) - {"alignment"}:
        assert torch.equal(torch.as_tensor(getattr(theirs, name)), torch.as_tensor(getattr(ours, name)))


def test_a_vocabulary_there_and_back() -> None:
    tokenizer = WordTokenizer.train(["b a c a b a"], vocabulary_size=97)
    vocab = to_torchtext_vocab(tokenizer)
    assert isinstance(vocab, Vocab)
    assert tuple(vocab.itos) == tokenizer.tokens == (*SPECIALS, "a", "b", "c")
    assert vocab["c"] == tokenizer.token_to_id("c")
    assert vocab["never seen"] == UNK
    assert from_torchtext_vocab(vocab).tokens == tokenizer.tokens


def test_special_symbols_get_our_ids() -> None:
    field = Field(init_token="<start>", eos_token="<stop>", unk_token="UNK", pad_token="PAD")
    field.build_vocab([["x", "y", "x"]])
    tokenizer = from_torchtext_field(field)
    assert tokenizer.tokens == (*SPECIALS, "x", "y")
    assert tokenizer.encode("y x <start>") == [5, 4, UNK]


def test_tokens_that_are_spaces_are_left_out() -> None:
    # spaCy makes a token of the second of two spaces
    field = Field(tokenize=list)
    dataset = TorchtextDataset(
        [Example.fromlist(["a  b", "c"], [("src", field), ("trg", field)])], [("src", field), ("trg", field)]
    )
    assert list(from_torchtext_dataset(dataset)) == [("a b", "c")]


class TestMistakes:
    def test_vocabulary_not_built(self) -> None:
        for field in (Field(), Field(sequential=False)):
            with pytest.raises(DataError, match=r"has no vocabulary of words: call its build_vocab\(dataset\) first"):
                from_torchtext_field(field)

    def test_field_misspelt(self, prefix: str) -> None:
        field = Field()
        data = TranslationDataset(prefix, exts=(".en", ".de"), fields=(("src", field), ("tgt", field)))
        with pytest.raises(DataError, match=r"has no field 'trg'; did you mean 'tgt'\? \('src', 'tgt'\)"):
            list(from_torchtext_dataset(data))


class TestVectors:
    LINES = ("dog 1.0 2.0 3.0", "Cat 4.0 5.0 6.0", "cat 7.0 8.0 9.0", ". 0.5 0.25 0.125")

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "vectors.txt"
        path.write_text("\n".join(self.LINES) + "\n")
        return path

    def test_words_with_and_without_marks_and_case(self, path: Path) -> None:
        tokenizer = WordTokenizer(["dog", "￭.", "Cat", "CAT", "mouse"])
        vectors = pretrained_vectors(tokenizer, path)
        assert vectors.vectors[4:].tolist() == [[1, 2, 3], [0.5, 0.25, 0.125], [4, 5, 6], [7, 8, 9], [0, 0, 0]]
        assert vectors.vectors.shape == (9, 3)
        assert not vectors.vectors[:4].any()
        assert vectors.found.tolist() == [False] * 4 + [True] * 4 + [False]
        assert vectors.share == pytest.approx(4 / 5)

    def test_subwords(self, path: Path) -> None:
        tokenizer = SentencePieceTokenizer.train(["dog dog dog"] * 7, algorithm="bpe", vocabulary_size=11)
        vectors = pretrained_vectors(tokenizer, path)
        assert vectors.vectors[tokenizer.token_to_id("▁dog")].tolist() == [1, 2, 3]

    def test_a_part_of_a_word_is_no_word(self, path: Path) -> None:
        path.write_text("dog 1 2 3\n. 4 5 6\n")
        texts = ["dog dog. hotdog hotdog."] * 7
        tokenizer = SentencePieceTokenizer.train(texts, algorithm="bpe", vocabulary_size=16)
        found = pretrained_vectors(tokenizer, path).found
        pieces = {tokenizer.id_to_token(number): number for number in range(len(tokenizer))}
        assert {"▁dog", "dog", "."} <= pieces.keys()
        assert {piece for piece, number in pieces.items() if found[number]} == {"▁dog", "."}

    def test_two_files_of_one_name(self, path: Path, tmp_path: Path) -> None:
        # torchtext's own cache would give the first file's vectors for the second
        other = tmp_path / "other" / path.name
        other.parent.mkdir()
        other.write_text("dog 11.0 12.0 13.0 14.0\n")
        tokenizer = WordTokenizer(["dog"])
        assert pretrained_vectors(tokenizer, path).vectors[4].tolist() == [1, 2, 3]
        assert pretrained_vectors(tokenizer, str(other)).vectors[4].tolist() == [11, 12, 13, 14]

    def test_header_line_of_fasttext(self, path: Path) -> None:
        path.write_text("4 3\n" + path.read_text())
        assert pretrained_vectors(WordTokenizer(["dog"]), path).vectors[4].tolist() == [1, 2, 3]

    def test_certificates_are_still_verified_afterward(self, path: Path) -> None:
        # torchtext 0.6.0 switches verification off for the whole process when it opens a file of vectors
        before = ssl._create_default_https_context
        pretrained_vectors(WordTokenizer(["dog"]), path)
        assert ssl._create_default_https_context is before
        assert ssl._create_default_https_context().verify_mode is ssl.CERT_REQUIRED
        assert ssl._create_unverified_context().verify_mode is ssl.CERT_NONE

    def test_name_misspelt(self) -> None:
        with pytest.raises(DataError) as error:
            pretrained_vectors(WordTokenizer(["dog"]), "glove.6B.100")
        assert str(error.value).startswith(
            "glove.6B.100: no such file, and not a name of word vectors; did you mean 'glove.6B.100d'? (names are "
        )

    @pytest.mark.parametrize("content", ["", "dog 1.0 two\n", "dog 1.0 2.0\ncat 1.0 2.0 3.0\n"])
    def test_no_vectors(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "bad.txt"
        path.write_text(content)
        with pytest.raises(DataError) as error:
            pretrained_vectors(WordTokenizer(["dog"]), path)
        assert str(error.value).startswith(f"{path}: no word vectors can be read from this: ")


def test_build_vocabulary_leaves_room_for_the_special_symbols() -> None:
    from collections import Counter

    counts = Counter({"a": 5, "b": 3, "c": 3, "d": 1})
    assert build_vocabulary(counts, size=7, minimum_frequency=1) == ["a", "b", "c"]
    assert build_vocabulary(counts, size=97, minimum_frequency=2) == ["a", "b", "c"]
    assert build_vocabulary(counts, size=4, minimum_frequency=1) == []
