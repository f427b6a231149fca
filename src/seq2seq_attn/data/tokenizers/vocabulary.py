"""A tokenizer whose vocabulary is a plain list of tokens, kept as a text file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq_attn.data.tokenizers.base import EOS, SPECIALS, UNK, UNKNOWN_TEXT, Tokenizer
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.files import write_atomic

SETTINGS_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocabulary.txt"


class ListTokenizer(Tokenizer):
    """Tokens and ids by a list.

    Args:
        tokens: the vocabulary in the order of its ids, without the special symbols.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = (*SPECIALS, *tokens)
        # The special symbols stay out, so that text can never spell one of them.
        self._ids = {token: number for number, token in enumerate(self.tokens) if number > EOS}
        if len(self._ids) + len(SPECIALS) != len(self.tokens):
            raise ValueError("a vocabulary names each token once")

    def __len__(self) -> int:
        return len(self.tokens)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids."""
        find = self._ids.get
        return [[find(token, UNK) for token in self.tokenize(text)] for text in texts]

    def id_to_token(self, token_id: int) -> str:
        """Return the token of an id."""
        return self.tokens[token_id]

    def token_to_id(self, token: str) -> int:
        """Return the id of a token."""
        number = self._ids.get(token)
        if number is None:
            return SPECIALS.index(token) if token in SPECIALS else UNK
        return number

    def settings(self) -> dict[str, Any]:
        """What has to be known besides the vocabulary to make this tokenizer again."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the settings as JSON and the vocabulary as one token per line."""
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, self.kind, self.settings())
        write_atomic(folder / VOCABULARY_FILE, "".join(f"{_escape(token)}\n" for token in self.tokens))

    def _visible(self, token_id: int) -> str:
        return UNKNOWN_TEXT if token_id == UNK else self.tokens[token_id]


def write_settings(folder: Path, kind: str, settings: dict[str, Any]) -> None:
    """Write the file that tells :func:`load_tokenizer` which kind lies in ``folder``."""
    write_atomic(folder / SETTINGS_FILE, json.dumps({"kind": kind, **settings}, indent=2) + "\n")


def read_vocabulary(folder: Path) -> list[str]:
    """Read the tokens that :meth:`ListTokenizer.save` wrote, without the special symbols.

    Raises:
        CheckpointError: if the file is missing or is not such a vocabulary.
    """
    path = folder / VOCABULARY_FILE
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: the vocabulary of the tokenizer cannot be read: {error}") from error
    tokens = [_unescape(line) for line in lines[:-1]]
    if lines[-1] or tuple(tokens[: len(SPECIALS)]) != SPECIALS or len(set(tokens[4:])) != len(tokens) - 4:
        raise CheckpointError(
            f"{path}: this is not a whole vocabulary (one token per line, each once, the first four are "
            f"{' '.join(SPECIALS)}); restore it from a copy of the run, or train again"
        )
    return tokens[len(SPECIALS) :]


def _escape(token: str) -> str:
    return token.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _unescape(line: str) -> str:
    if "\\" not in line:
        return line
    plain = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
    pieces: list[str] = []
    position = 0
    while position < len(line):
        pair = line[position : position + 2]
        pieces.append(plain.get(pair, line[position]))
        position += 2 if pair in plain else 1
    return "".join(pieces)
