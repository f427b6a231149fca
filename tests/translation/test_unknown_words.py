"""Unknown words of a translation become words of its source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from translators import small_translator

from seq2seq_attn.data.tokenizers import EOS, UNK, CharacterTokenizer, Tokenizer, Tokenizers, WordTokenizer
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.errors import ConfigError, DataError
from seq2seq_attn.translation.unknown_words import UnknownWords, read_lexicon

TARGET = WordTokenizer(["das", "ist", "gut", "￭.", "⁇"])


def looking_at(*columns: int, size: int) -> np.ndarray:
    weights = np.full((len(columns), size), 0.01, np.float32)
    weights[range(len(columns)), columns] = 0.9
    return weights


def written(source: Tokenizer, text: str, target: str, weights: np.ndarray, lexicon: dict[str, str]) -> str:
    ids = [UNK if word == "?" else TARGET.token_to_id(word) for word in target.split()]
    assert EOS not in ids
    return UnknownWords(Tokenizers(source, TARGET), lexicon).write(text, ids, weights)


def test_copied_or_looked_up() -> None:
    source = WordTokenizer(["that", "is"])
    weights = looking_at(0, 1, 3, 2, 4, size=6)  # the last column is the end of the sentence
    text = "that is Zoe's (really)."
    assert source.tokenize(text) == ["that", "is", "Zoe", "￭'￭", "s", "(￭", "really", "￭)￭", "."]
    assert written(source, text, "das ist ? ? ￭.", looking_at(0, 1, 2, 6, 8, size=10), {}) == "das ist Zoe really."
    lexicon = {"really": "wirklich", "zoe": "no"}
    found = written(source, text, "das ist ? ? ￭.", looking_at(0, 1, 2, 6, 8, size=10), lexicon)
    assert found == "das ist Zoe wirklich."
    assert weights.shape == (5, 6)


def test_a_sign_of_the_text_is_no_unknown_word() -> None:
    source = WordTokenizer(["a"])
    assert written(source, "x y", "⁇ ? ⁇ ?", looking_at(0, 0, 0, 1, size=3), {}) == "⁇ x ⁇ y"
    assert written(source, "x y", "⁇ gut", looking_at(0, 0, size=3), {}) == "⁇ gut"


def test_it_looked_at_no_word() -> None:
    source = WordTokenizer(["a"])
    nothing = np.zeros((1, 2), np.float32)
    assert written(source, "x y", "?", nothing, {}) == "⁇"


@pytest.mark.parametrize("text", ["the Zoë,", "the  (Zoë)"])
def test_characters_of_a_word_count_together(text: str) -> None:
    source = CharacterTokenizer(list("the "))
    begin = text.index("Z")
    weights = np.zeros((1, len(text)), np.float32)
    weights[0, 0] = 0.4  # more than any letter of the other word
    weights[0, begin : begin + 3] = 0.2
    assert written(source, text, "?", weights, {}) == "Zoë"


def test_subwords_of_a_word_count_together() -> None:
    source = SentencePieceTokenizer.train(["low lower lowest slow"] * 9, algorithm="bpe", vocabulary_size=17)
    text = "slow lowest."
    tokens = source.tokenize(text)
    number = next(place for place, token in enumerate(tokens) if place and token.startswith("▁"))
    assert len(tokens) - number > 2
    weights = np.zeros((1, len(tokens)), np.float32)
    weights[0, 0] = 0.3
    weights[0, number:] = 0.2
    assert written(source, text, "?", weights, {"lowest": "tiefste"}) == "tiefste"


def test_a_model_that_may_write_it() -> None:
    """With the unknown token far ahead of all others, the translation is made of source words."""
    translator = small_translator("luong-general", replace_unknown=True, beam_size=2)
    translator.model.output.bias.data[UNK] += 9
    (found,) = translator.translate(["s4 other s5"])
    assert set(found.tokens) <= {"<unk>", "</s>"}
    assert "<unk>" in found.tokens
    assert set(found.text.split()) <= {"s4", "other", "s5"}
    weights = found.attention[:, :3].argmax(axis=1)
    assert found.text.split() == [["s4", "other", "s5"][place] for place in weights[: len(found.text.split())]]
    kept = small_translator("luong-general", beam_size=2)
    kept.model.output.bias.data[UNK] += 9
    assert "<unk>" not in kept.translate(["s4 other s5"])[0].tokens


def test_only_attention_knows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="replace_unknown needs a model with attention"):
        small_translator("none", replace_unknown=True).translate(["s4"])
    lexicon = str(tmp_path / "missing.tsv")
    with pytest.raises(DataError, match=r"missing\.tsv: no such file"):
        small_translator("luong-dot", replace_unknown=True, lexicon=lexicon).translate([])


def test_a_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("cat\tGato\ncat\tgata\nNew York\tNova Iorque\n", encoding="utf-8")
    assert read_lexicon(path) == {"cat": "Gato", "New York": "Nova Iorque"}


@pytest.mark.parametrize("line", ["cat gato", "cat\tgato\t1", "\tgato", "cat\t ", ""])
def test_a_lexicon_that_is_wrong(tmp_path: Path, line: str) -> None:
    path = tmp_path / "words.tsv"
    path.write_text(f"a\tb\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"words.tsv:2: expected a source word, one tab and a target word, got "):
        read_lexicon(path)
