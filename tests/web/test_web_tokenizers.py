"""Tokenizers in JavaScript give what those in Python give."""

from __future__ import annotations

import gzip
import random
import re
import unicodedata
from pathlib import Path

import pytest

from seq2seq_attn.data.tokenizers import CharacterTokenizer, Tokenizer, WordTokenizer, load_tokenizer
from seq2seq_attn.data.tokenizers.base import is_word_character
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.data.tokenizers.tagged import with_tags
from seq2seq_attn.data.tokenizers.word import split_words

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
# What texts are made of at random: letters with marks, emoji of several code points, scripts from right to left,
# whitespace of all kinds, what tokenizers spell in another way, halves of surrogate pairs, and any character at all.
ALPHABETS = [
    "abcdefgh ABC ,.;-'\"()",
    "éèàüßñçøå e\u0301\u0323\u20e3",
    "😀👩\u200d👩\u200d👧🏽🇩🇪❤\ufe0f𝒜𐍈",
    "שלום עולם مرحبا بالعالم می\u200cخواهم\u202e\u200f",
    "中文字符 日本語テキスト ไทย नमस्ते한국어",
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u3000\u200b\u180e\ufeff",
    "▁▅￭\ue000\ue0001\ue000j\\n<s></s>⁇\0\0",
    "\ud83d\ude00\udfff\ud800",
    "١٢٣०१२²³½Ⅷ五_·",
]
KINDS = ["bpe", "unigram", "character", "word", "words without marks", "tags", "characters with tags"]


def write(kind: str, folder: Path, texts: list[str], size: int) -> Tokenizer:
    """Make a tokenizer that knows some of these texts, and not all."""
    tokenizer: Tokenizer
    if kind in ("bpe", "unigram"):
        tokenizer = SentencePieceTokenizer.train(texts, algorithm=kind, vocabulary_size=size)
    elif kind.startswith("character"):
        tokenizer = CharacterTokenizer.train(texts, vocabulary_size=size // 2)
    else:
        tokenizer = WordTokenizer.train(texts, vocabulary_size=size)
    if kind == "words without marks":
        tokenizer = WordTokenizer(tokenizer.tokens[4:], marks=False)
    if "tags" in kind:
        tokenizer = with_tags(tokenizer, ["<2de>", "formal"])
    tokenizer.save(folder)
    return load_tokenizer(folder)


def random_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        alphabets = rng.sample(ALPHABETS, rng.randrange(1, 4))
        letters = [rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(40))]
        letters += [known_character(rng) for _ in range(rng.randrange(3))]
        rng.shuffle(letters)
        texts.append(rng.choice(["", "", "<2de> ", "formal <2de> ", "<2de>"]) + "".join(letters))
    # JavaScript cannot hold the two halves of a pair side by side but as the pair
    return [re.sub("[\ud800-\udbff](?=[\udc00-\udfff])", "x", text) for text in texts]


def known_character(rng: random.Random) -> str:
    while unicodedata.category(found := chr(rng.randrange(0x110000))) in ("Cn", "Cs"):
        pass
    return found


def check(tokenizer: Tokenizer, texts: list[str], ids: list[list[int]], lines: list[dict[str, object]]) -> None:
    assert len(lines) == 1 + len(texts) + len(ids)
    assert lines[0]["tokens"] == [
        [tokenizer.id_to_token(number), tokenizer.surface(number), tokenizer.is_word_start(number)]
        for number in range(len(tokenizer))
    ]
    for text, line in zip(texts, lines[1:], strict=False):
        encoded = tokenizer.encode(text)
        numbers, words = tokenizer.units(text)
        expected = {
            "ids": encoded,
            "tokens": tokenizer.tokenize(text),
            "decoded": tokenizer.decode(encoded),
            "numbers": tokenizer.word_numbers(text),
            "units": {"numbers": numbers, "words": words},
        }
        assert line == expected, ascii(text)
    for each, line in zip(ids, lines[1 + len(texts) :], strict=True):
        assert line["decoded"] == tokenizer.decode(each), each


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_has_the_same_ids(kind: str, tmp_path: Path, run_script) -> None:
    trained = [*TEXTS, *sorted(set("".join(TEXTS)))]
    tokenizer = write(kind, tmp_path, trained, 137)
    texts = [*TEXTS, "", " ", *random_texts(400, seed=11)]
    texts += ["ab" * 5000, " " * 3000, "TheTheThe" * 1000, "\u0301" * 2000, "".join(random_texts(200, seed=5))[:6000]]
    texts[-1] = re.sub("[\ud800-\udfff]", "x", texts[-1])
    rng = random.Random(13)
    ids = [[rng.randrange(len(tokenizer)) for _ in range(rng.randrange(12))] for _ in range(300)]
    lines = run_script("tokenize.mjs", {"folder": str(tmp_path), "texts": texts, "ids": ids})
    check(tokenizer, texts, ids, lines)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "character", "word"])
def test_multi30k_has_the_same_ids(kind: str, real_data: Path, tmp_path: Path, run_script) -> None:
    path = real_data / "multi30k" / "train.en.gz"
    if not path.is_file():
        pytest.skip(f"Multi30k is not in {path.parent}")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    tokenizer = write(kind, tmp_path, lines[:1000], 700)
    found = run_script("tokenize.mjs", {"folder": str(tmp_path), "texts": lines, "ids": [], "brief": True})[1:]
    encoded = [line["ids"] for line in found]
    assert encoded == tokenizer.encode_batch(lines)
    known = [number for number, ids in enumerate(encoded) if 1 not in ids]
    assert len(known) > (20_000 if kind != "word" else 1_000)
    assert all(found[number]["decoded"] == lines[number] for number in known)


def test_every_character_is_of_the_same_class(run_script) -> None:
    """Of all characters of Unicode, as far as Python and Node both know them."""
    assigned = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) not in ("Cn", "Cs")]
    found = run_script("classify.mjs", {"characters": "".join(assigned)})[0]
    unknown = set(found["unknown"])
    known = [character for character in assigned if character not in unknown]
    assert len(known) > 270_000
    assert found["spaces"] == "".join(filter(str.isspace, known))
    assert found["letters"] == "".join(filter(is_word_character, known))
    assert found["words"] == split_words(" ".join(f"{character}a" for character in known))
