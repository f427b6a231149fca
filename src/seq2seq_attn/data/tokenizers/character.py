"""Every character is a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import index
from typing import SupportsIndex

from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, SPECIALS, UNK, number_words
from seq2seq_attn.data.tokenizers.vocabulary import ListTokenizer


class CharacterTokenizer(ListTokenizer):
    """Every character is a token, spaces too; a space begins the word that follows it."""

    kind = "character"

    @classmethod
    def train(cls, texts: Iterable[str], *, vocabulary_size: int, minimum_frequency: int = 1) -> CharacterTokenizer:
        """Take the most frequent characters of ``texts``, ties in the order of their code points."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [character for character, count in ranked if count >= minimum_frequency]
        return cls(kept[: max(0, vocabulary_size - len(SPECIALS))])

    def tokenize(self, text: str) -> list[str]:
        """Split into characters (code points)."""
        return list(text)

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """Put the characters together."""
        return "".join(self._visible(number) for number in map(index, ids) if number not in (PAD, BOS, EOS))

    def encode_phrase(self, text: str) -> list[int]:
        """Turn words into their characters, with the space before them where the vocabulary has one."""
        return self.encode(text if self.token_to_id(" ") == UNK else f" {text}")

    def surface(self, token_id: int) -> str:
        """Return the character."""
        return "" if token_id in (PAD, BOS, EOS) else self._visible(token_id)

    def word_numbers(self, text: str) -> list[int]:
        """Return for each character the number of the word it belongs to."""
        return number_words(list(text), text)

    def is_word_start(self, token_id: int) -> bool:
        """Tell whether this is a whitespace character."""
        return token_id > EOS and self.tokens[token_id].isspace()
