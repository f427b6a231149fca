"""Words and punctuation as tokens, with marks that keep the spacing.

A single space between two tokens is not written down. Where two tokens touch, one of them
carries the mark ``￭`` on the side that touches: the sign that is no word, or of two
signs the first. So a word is one token however it is surrounded::

    Well, "3.5" (ok).    Well ￭, "￭ 3 ￭.￭ 5 ￭" (￭ ok ￭)￭ .

Whitespace other than a single space between two tokens is a token of its own, one per character.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import index
from typing import Any, SupportsIndex

from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD
from seq2seq_attn.data.tokenizers.vocabulary import ListTokenizer

JOINER = "￭"
# A joiner that was in the text. Its first character alone would be a token of one character.
_LITERAL_JOINER = "\ue000j"
_WITHIN_WORDS = ("Mn", "Mc", "Me")  # marks belong to the letter before them, in Hindi as in decomposed é
_ZERO_WIDTH = "\u200c\u200d"  # joiners inside words of Persian and Indic scripts


class WordTokenizer(ListTokenizer):
    """Words and punctuation as tokens; case is kept.

    Args:
        tokens: the vocabulary in the order of its ids, without the special symbols.
        marks: without them, a text is taken as tokens with a space between each two. This is the
            way of texts that another program has tokenized already.
    """

    kind = "word"

    def __init__(self, tokens: Sequence[str], *, marks: bool = True) -> None:
        super().__init__(tokens)
        self.marks = marks

    @classmethod
    def train(cls, texts: Iterable[str], *, vocabulary_size: int, minimum_frequency: int = 1) -> WordTokenizer:
        """Take the most frequent tokens of ``texts``, by the rules of torchtext's ``Vocab``."""
        from seq2seq_attn.data.torchtext_interop import build_vocabulary

        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(split_words(text))
        return cls(build_vocabulary(counts, size=vocabulary_size, minimum_frequency=minimum_frequency))

    def settings(self) -> dict[str, Any]:
        """The vocabulary alone does not tell whether its tokens carry marks."""
        return {"marks": self.marks}

    def tokenize(self, text: str) -> list[str]:
        """Split into words and signs."""
        if self.marks:
            return split_words(text)
        return text.split(" ") if text else []

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """Join with single spaces, but for the marks."""
        tokens = [self._visible(number) for number in map(index, ids) if number not in (PAD, BOS, EOS)]
        return join_words(tokens) if self.marks else " ".join(tokens)

    def surface(self, token_id: int) -> str:
        """Return the word or sign, with a space in front if it does not touch what stands before it.

        Whether it touches what stands behind it, only the next token would show.
        """
        return "" if token_id in (PAD, BOS, EOS) else self._surface(self._visible(token_id))

    def spell(self, text: str) -> str:
        """Return ``text`` with a space behind every sign that touches the next word: ``( ok)``."""
        return "".join(map(self._surface, self.tokenize(text))).strip()

    def units(self, text: str) -> tuple[list[int], list[str]]:
        """Return every token as a word of its own, without its marks."""
        tokens = self.tokenize(text)
        return list(range(len(tokens))), [self._surface(token).strip() for token in tokens]

    def _surface(self, token: str) -> str:
        if token.isspace():
            return token
        if not self.marks:
            return f" {token}"
        joins_left, joins_right = _joins_left(token), _joins_right(token)
        core = token[joins_left : len(token) - joins_right]
        return ("" if joins_left else " ") + (JOINER if core == _LITERAL_JOINER else core)

    def word_numbers(self, text: str) -> list[int]:
        """Return for each token the number of the word it belongs to, by the spacing it has in ``text``."""
        numbers: list[int] = []
        words = 0  # begun so far
        touching = False  # the next token touches the one before it
        for token in self.tokenize(text):
            if not self.marks:
                numbers.append(words)
                words += len(token.split())
            elif token.isspace():
                numbers.append(words)
                touching = False
            else:
                words += not (touching or _joins_left(token))
                numbers.append(words - 1)
                touching = _joins_right(token)
        return numbers

    def is_word_start(self, token_id: int) -> bool:
        """Tell whether this token stands free of the one before it, as far as it can know."""
        token = self.tokens[token_id]
        return token_id > EOS and not token.isspace() and not (self.marks and _joins_left(token))

    def touches_next(self, token_id: int) -> bool:
        """Tell whether this is a sign with a mark on its right."""
        return token_id > EOS and self.marks and _joins_right(self.tokens[token_id])


def split_words(text: str) -> list[str]:
    """Split ``text`` into words and signs; :func:`join_words` is the way back."""
    tokens: list[str] = []
    previous_is_sign = False
    free = True  # nothing, or a single space, stands before the next token
    end = len(text)
    for match in _pattern().finditer(text):
        piece = match.group()
        if piece == " " and match.start() > 0 and match.end() < end and _is_single(text, match.start()):
            free = True
            continue
        if piece.isspace():
            tokens.append(piece)
            previous_is_sign, free = False, True  # nothing joins to whitespace: it is its own spacing
            continue
        is_sign = match.lastindex is None
        token = _LITERAL_JOINER if piece == JOINER else piece
        if not free and previous_is_sign:
            tokens[-1] += JOINER
        elif not free and is_sign:
            token = JOINER + token
        tokens.append(token)
        previous_is_sign, free = is_sign, False
    return tokens


def join_words(tokens: Iterable[str]) -> str:
    """Put tokens together as their marks say; the inverse of :func:`split_words`."""
    pieces: list[str] = []
    touching = True  # the next token touches what stands before it
    for token in tokens:
        if token.isspace():
            pieces.append(token)
            touching = True
            continue
        joins_left, joins_right = _joins_left(token), _joins_right(token)
        core = token[joins_left : len(token) - joins_right]
        if not (touching or joins_left):
            pieces.append(" ")
        pieces.append(JOINER if core == _LITERAL_JOINER else core)
        touching = joins_right
    return "".join(pieces)


def _joins_left(token: str) -> bool:
    return len(token) > 1 and token.startswith(JOINER)


def _joins_right(token: str) -> bool:
    return len(token) > 1 and token.endswith(JOINER)


def _is_single(text: str, position: int) -> bool:
    return not (text[position - 1].isspace() or text[position + 1].isspace())


@functools.cache
def _pattern() -> re.Pattern[str]:
    """One word (the group), one whitespace character, or one sign."""
    return re.compile(rf"([\w{_marks()}]+)|\s|.", re.DOTALL)


@functools.cache
def _marks() -> str:
    r"""The characters that ``\w`` misses and that belong into words all the same, as a set of ranges."""
    found = [point for point in range(0x300, 0x1F000) if unicodedata.category(chr(point)) in _WITHIN_WORDS]
    ranges: list[list[int]] = []
    for point in found:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return _ZERO_WIDTH + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
