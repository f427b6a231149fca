"""What every tokenizer does: text to token ids and back, without loss."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, SupportsIndex

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")

WORD_START = "▁"
"""What sentencepiece writes for a space: the subword behind it begins a word."""

UNKNOWN_TEXT = "⁇"
"""What an unknown token looks like in decoded text."""


class Tokenizer(ABC):
    """Text to token ids and back.

    Every kind gives the special symbols the same ids: ``PAD, UNK, BOS, EOS = 0, 1, 2, 3``.
    ``decode(encode(text)) == text`` holds for every text whose tokens are in the vocabulary:
    nothing is normalized, no whitespace is lost. A text that spells a special symbol,
    such as ``</s>``, never becomes that symbol's id.
    """

    kind: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int:
        """Size of the vocabulary, special symbols included."""

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Split ``text`` into tokens; unknown ones stay visible as they are."""

    @abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids; no special symbols are added, the unknown becomes ``UNK``."""

    @abstractmethod
    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """Turn token ids into text; ``PAD``, ``BOS`` and ``EOS`` are skipped."""

    @abstractmethod
    def id_to_token(self, token_id: int) -> str:
        """Return the token of an id."""

    @abstractmethod
    def token_to_id(self, token: str) -> int:
        """Return the id of a token or of a special symbol's name; ``UNK`` if it is unknown."""

    @abstractmethod
    def is_word_start(self, token_id: int) -> bool:
        """Tell whether this token begins a new word, so that tokens can be merged into words."""

    def touches_next(self, token_id: int) -> bool:
        """Tell whether what follows this token belongs to the same word, whatever it is."""
        del token_id
        return False

    def word_starts(self, token_ids: Sequence[int]) -> list[bool]:
        """Tell of tokens in a row whether each begins a new word, as far as they can tell together."""
        touched = [False, *map(self.touches_next, token_ids)]
        return [self.is_word_start(token) and not touched[place] for place, token in enumerate(token_ids)]

    @abstractmethod
    def surface(self, token_id: int) -> str:
        """Return the text that this token adds, a space in front where it begins a word; ``""`` for special symbols.

        The surfaces of a text's tokens put together are the text as :meth:`spell` writes it.
        """

    @abstractmethod
    def word_numbers(self, text: str) -> list[int]:
        """Return for each token of ``encode(text)`` the number of the word it belongs to.

        Words are what whitespace separates (``text.split()``), counted from 0. Whitespace belongs to the
        word behind it, a token of two words to the first. Exact, where :meth:`is_word_start` has to guess.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that :func:`load_tokenizer` needs into ``folder``."""

    def spell(self, text: str) -> str:
        """Return ``text`` as the surfaces of its tokens write it, without spaces around it."""
        return text.strip()

    def units(self, text: str) -> tuple[list[int], list[str]]:
        """Return for each token of ``encode(text)`` the number of its word, and the words, bare of signs around them.

        Words are what a dictionary has, as far as the tokens can tell: those of :meth:`word_numbers` here.
        """
        return self.word_numbers(text), [_bare(word) for word in text.split()]

    def encode(self, text: str) -> list[int]:
        """Turn one text into token ids; see :meth:`encode_batch`."""
        return self.encode_batch([text])[0]

    def split_tags(self, text: str) -> tuple[list[str], str]:
        """Take the tags off the beginning of a text: there are none here."""
        return [], text

    def encode_phrase(self, text: str) -> list[int]:
        """Turn words into the token ids that they have inside a sentence, behind another word."""
        return self.encode(text)


def _bare(word: str) -> str:
    """Take the signs off both ends of a word that is not all signs."""
    inside = [place for place, character in enumerate(word) if is_word_character(character)]
    return word[inside[0] : inside[-1] + 1] if inside else word


def is_word_character(character: str) -> bool:
    """Tell whether this is a letter, a digit or a mark of one, and no sign or space."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def number_words(pieces: Iterable[str], text: str) -> list[int]:
    """Return for each of the pieces that ``text`` consists of the number of the word it begins in.

    A piece that begins with whitespace belongs to the word behind that.
    """
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    numbers, position = [], 0
    for piece in pieces:
        numbers.append(bisect_right(ends, position))
        position += len(piece)
    return numbers
