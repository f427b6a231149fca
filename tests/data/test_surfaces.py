"""The text that single tokens add."""

from __future__ import annotations

import pytest

from seq2seq_attn.alignment import word_numbers
from seq2seq_attn.data.tokenizers import EOS, PAD, UNK, UNKNOWN_TEXT, CharacterTokenizer, Tokenizer, WordTokenizer
from seq2seq_attn.data.tokenizers.base import is_word_character
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.data.tokenizers.tagged import TaggedTokenizer

TEXTS = ['Well, "3.5" (ok).', "a  b\tc", "low lower lowest", "￭ a￭b", "cafe\u0301 naïve", "日本語 です。", "▁x \ue000"]


@pytest.fixture(params=["sentencepiece", "word", "word without marks", "character"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "sentencepiece":
        return SentencePieceTokenizer.train(TEXTS * 9, algorithm="unigram", vocabulary_size=45)
    if request.param == "character":
        return CharacterTokenizer.train(TEXTS, vocabulary_size=99)
    whole = WordTokenizer.train(TEXTS, vocabulary_size=99)
    return (
        whole
        if request.param == "word"
        else WordTokenizer([w for t in TEXTS for w in t.split(" ") if w][:20], marks=False)
    )


@pytest.mark.parametrize("text", TEXTS)
def test_put_together_they_spell_the_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    surfaces = [tokenizer.surface(number) for number in ids]
    if UNK not in ids:
        assert "".join(surfaces).strip() == tokenizer.spell(text)
    if tokenizer.kind != "word" and not set(text) & set("\t▁\ue000"):
        assert tokenizer.spell(text) == text.strip()
    assert all(surface for surface in surfaces)


def test_special_symbols_add_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.surface(PAD) == tokenizer.surface(EOS) == ""
    assert tokenizer.surface(UNK).strip() == UNKNOWN_TEXT


def test_a_space_stands_in_front_of_words() -> None:
    word = WordTokenizer(["ok", "￭.", "(￭", "￭-￭", " "])
    assert [word.surface(number) for number in range(4, 9)] == [" ok", ".", " (", "-", " "]
    assert word.spell("(ok)") == "( ok)"


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_units_are_words_without_signs(tokenizer: Tokenizer, text: str) -> None:
    numbers, words = tokenizer.units(text)
    assert len(numbers) == len(tokenizer.encode(text))
    assert numbers == sorted(numbers)
    for word in words:
        whole = any(is_word_character(character) for character in word)
        assert not whole or (is_word_character(word[0]) and is_word_character(word[-1])) or tokenizer.kind == "word"
    if tokenizer.kind != "word":
        assert len(words) == len(text.split())


def test_bare_words() -> None:
    letters = CharacterTokenizer(list("abc"))
    assert letters.units('"3.5" (l\'homme), ... cafe\u0301!')[1] == ["3.5", "l'homme", "...", "cafe\u0301"]
    words = WordTokenizer(["a"])
    assert words.units("(ok).")[1] == ["(", "ok", ")", "."]


def test_inside_a_sentence_a_space_comes_first() -> None:
    letters = CharacterTokenizer(list(" abc"))
    assert letters.encode_phrase("ab") == letters.encode(" ab")
    assert CharacterTokenizer(list("abc")).encode_phrase("ab") == CharacterTokenizer(list("abc")).encode("ab")
    words = WordTokenizer(["a", "b"])
    assert words.encode_phrase("a b") == words.encode("a b")


@pytest.mark.parametrize(
    "text", ["it's 3.5 (ok) !", "a (b) c", "(a) b's", 'well - ("3.5") ok', "¿Dónde está?", "a . b", "x ￭ y"]
)
def test_words_can_be_told_from_the_tokens_alone(text: str) -> None:
    """Standing for: a word behind an apostrophe or a bracket that counts as one more, and shifts all that follow."""
    plain = WordTokenizer.train([text], vocabulary_size=50)
    for tokenizer in (plain, TaggedTokenizer(plain, ["<2de>"])):
        ids = tokenizer.encode(text)
        assert word_numbers(tokenizer.word_starts(ids)) == tokenizer.word_numbers(text)
