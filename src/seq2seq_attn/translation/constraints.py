"""What translations must have: words they begin with, phrases that must appear."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.data.tokenizers import UNK, Tokenizer
from seq2seq_attn.decoding import Demands
from seq2seq_attn.decoding.rules import ForbiddenPhrases
from seq2seq_attn.errors import DataError, UserError, did_you_mean

KEYS = ("prefix", "require")


@dataclass(frozen=True)
class Constraint:
    """What the translation of one sentence must have.

    Attributes:
        prefix: whole words that it begins with.
        required: phrases of whole words that must appear in it.
        place: what errors call it: where it was written.
    """

    prefix: str = ""
    required: tuple[str, ...] = ()
    place: str = field(default="constraint", compare=False)


class EncodedConstraint(NamedTuple):
    """A constraint in target ids."""

    prefix: tuple[int, ...]
    required: tuple[tuple[int, ...], ...]
    place: str

    def check_length(self, most: int) -> None:
        """Raise if there is no room for it among ``most`` tokens, the end of the sentence counted.

        Raises:
            UserError: which says how much room there is.
        """
        missing = [phrase for phrase in dict.fromkeys(self.required) if not _holds(self.prefix, phrase)]
        needed = len(self.prefix) + sum(map(len, missing)) + 1
        if needed > most:
            raise UserError(
                f"{self.place}: needs {needed} tokens with the end of the sentence, but its translation may have "
                f"{most} at most; ask for less, or raise decoding.max_length_ratio or decoding.max_length"
            )

    def check_allowed(self, rule: ForbiddenPhrases) -> None:
        """Raise if it asks for what is forbidden.

        Raises:
            ConfigError: which phrase that is.
        """
        for tokens in (self.prefix, *self.required):
            rule.check(tokens, self.place)


def encode_constraint(constraint: Constraint, tokenizer: Tokenizer) -> EncodedConstraint:
    """Encode a constraint with the tokenizer of the target.

    Raises:
        UserError: if a phrase is empty, or holds what the vocabulary does not have.
    """
    prefix = constraint.prefix.strip()
    required = []
    for phrase in constraint.required:
        if not phrase.strip():
            raise UserError(f"{constraint.place}: a phrase that must appear is empty")
        ids = tuple(tokenizer.encode_phrase(phrase.strip()))
        _check_known(phrase.strip(), ids, tokenizer, constraint.place)
        required.append(ids)
    ids = tuple(tokenizer.encode(prefix)) if prefix else ()
    _check_known(prefix, ids, tokenizer, constraint.place)
    return EncodedConstraint(ids, tuple(required), constraint.place)


def demands_of(constraints: Sequence[EncodedConstraint]) -> Demands | None:
    """Return what a search is told of the sentences of a batch; None where nothing is asked."""
    if not any(constraint.prefix or constraint.required for constraint in constraints):
        return None
    return Demands(
        prefixes=[constraint.prefix for constraint in constraints],
        required=[constraint.required for constraint in constraints],
    )


def read_constraints(path: Path) -> Iterator[Constraint]:
    """Read a file with a JSON object on every line: ``{"prefix": "...", "require": ["...", ...]}``, both optional.

    Raises:
        DataError: if a line is something else.
    """
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path}:{number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{place}: this is not JSON ({error}); each line holds one object, {{}} where nothing is asked"
            ) from error
        if not isinstance(found, dict):
            raise DataError(f"{place}: expected a JSON object with the keys 'prefix' and 'require', or {{}}")
        for key in found:
            if key not in KEYS:
                raise DataError(f"{place}: unknown key {key!r}{did_you_mean(key, KEYS)} (known: {', '.join(KEYS)})")
        prefix, required = found.get("prefix", ""), found.get("require", [])
        if not isinstance(prefix, str):
            raise DataError(f"{place}: 'prefix' must be text, got {json.dumps(prefix)[:60]}")
        if not (isinstance(required, list) and all(isinstance(phrase, str) for phrase in required)):
            raise DataError(f"{place}: 'require' must be a list of texts, got {json.dumps(required)[:60]}")
        yield Constraint(prefix, tuple(required), place)


def _check_known(text: str, ids: Sequence[int], tokenizer: Tokenizer, place: str) -> None:
    if UNK not in ids:
        return
    unknown = [token for token in tokenizer.tokenize(text) if tokenizer.token_to_id(token) == UNK]
    named = f", which has no {unknown[0]!r}" if unknown else ""
    raise UserError(f"{place}: {text!r} cannot be written with the target vocabulary{named}")


def _holds(tokens: Sequence[int], phrase: Sequence[int]) -> bool:
    return any(tokens[begin : begin + len(phrase)] == phrase for begin in range(len(tokens) - len(phrase) + 1))
