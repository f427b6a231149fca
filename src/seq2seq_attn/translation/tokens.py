"""Tokens as they are shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, Tokenizer


@dataclass(frozen=True)
class Token:
    """A token, and how it stands in a text.

    Attributes:
        token: as the vocabulary has it.
        surface: the text that it adds, with a space in front where it starts a word.
        word_start: whether a word begins with it.
        special: whether it marks a begin or an end, and is not part of the text.
    """

    token: str
    surface: str
    word_start: bool
    special: bool

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        return asdict(self)


def token_of(tokenizer: Tokenizer, number: int) -> Token:
    """Return the token with an id."""
    return Token(
        tokenizer.id_to_token(number),
        tokenizer.surface(number),
        tokenizer.is_word_start(number),
        number in (PAD, BOS, EOS),
    )
