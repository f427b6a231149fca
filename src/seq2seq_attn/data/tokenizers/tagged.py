"""A tokenizer with tags: tokens that say of a whole sentence what language or domain is wanted.

Johnson et al. (2017), section 3, put the wanted language in front of the source so, https://arxiv.org/abs/1611.04558.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import takewhile
from operator import index
from pathlib import Path
from typing import SupportsIndex

from seq2seq_attn.data.tokenizers.base import Tokenizer
from seq2seq_attn.data.tokenizers.character import CharacterTokenizer
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.files import write_atomic

TAGS_FILE = "tags.json"


class TaggedTokenizer(Tokenizer):
    """A tokenizer of any kind, and tags behind its vocabulary.

    A tag is a tag only at the beginning of a text, before a single space or the end; several may follow each other.
    Nothing else that spells one is ever split off or becomes its id.

    Args:
        plain: turns the text behind the tags into tokens.
        tags: words, each once.
    """

    def __init__(self, plain: Tokenizer, tags: Sequence[str]) -> None:
        if len(set(tags)) != len(tags):
            raise ValueError("a vocabulary names each tag once")
        self.plain = plain
        self.tags = tuple(tags)
        self._ids = {tag: len(plain) + number for number, tag in enumerate(tags)}

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The kind of the tokenizer without tags."""
        return self.plain.kind

    def __len__(self) -> int:
        return len(self.plain) + len(self.tags)

    def split_tags(self, text: str) -> tuple[list[str], str]:
        """Take the tags off the beginning of a text."""
        found: list[str] = []
        while True:
            first, space, rest = text.partition(" ")
            if first not in self._ids:
                return found, text
            found.append(first)
            if not space:
                return found, ""
            text = rest

    def tokenize(self, text: str) -> list[str]:
        """Split ``text`` into tags and tokens."""
        tags, rest = self.split_tags(text)
        return tags + self.plain.tokenize(rest)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids."""
        split = [self.split_tags(text) for text in texts]
        encoded = self.plain.encode_batch([rest for _, rest in split])
        return [[self._ids[tag] for tag in tags] + ids for (tags, _), ids in zip(split, encoded, strict=True)]

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """Turn token ids into text; tags that are not in front of it are skipped."""
        numbers = [index(number) for number in ids]
        tags = list(takewhile(self._is_tag, numbers))
        text = self.plain.decode([number for number in numbers if not self._is_tag(number)])
        words = [self.id_to_token(number) for number in tags]
        return " ".join([*words, text] if text else words)

    def id_to_token(self, token_id: int) -> str:
        """Return the tag or token of an id."""
        return self.tags[token_id - len(self.plain)] if self._is_tag(token_id) else self.plain.id_to_token(token_id)

    def token_to_id(self, token: str) -> int:
        """Return the id of a tag or token."""
        return self._ids[token] if token in self._ids else self.plain.token_to_id(token)

    def is_word_start(self, token_id: int) -> bool:
        """Tell whether this is a tag, or a token that begins a new word."""
        return self._is_tag(token_id) or self.plain.is_word_start(token_id)

    def touches_next(self, token_id: int) -> bool:
        """Tell whether this is a token that touches what follows it; no tag does."""
        return not self._is_tag(token_id) and self.plain.touches_next(token_id)

    def surface(self, token_id: int) -> str:
        """Return the tag with a space, or what the token adds."""
        if not self._is_tag(token_id):
            return self.plain.surface(token_id)
        tag = self.id_to_token(token_id)
        # the first character of a text brings no space along, as a first word does
        return f"{tag} " if isinstance(self.plain, CharacterTokenizer) else f" {tag}"

    def spell(self, text: str) -> str:
        """Return ``text`` as the surfaces of its tokens write it."""
        tags, rest = self.split_tags(text)
        spelled = self.plain.spell(rest)
        return " ".join([*tags, spelled] if spelled else tags)

    def word_numbers(self, text: str) -> list[int]:
        """Return for each token the number of the word it belongs to; each tag is a word."""
        tags, rest = self.split_tags(text)
        return [*range(len(tags)), *(len(tags) + number for number in self.plain.word_numbers(rest))]

    def units(self, text: str) -> tuple[list[int], list[str]]:
        """Return for each token the number of its word, and the words; each tag is a word."""
        tags, rest = self.split_tags(text)
        numbers, words = self.plain.units(rest)
        return [*range(len(tags)), *(len(tags) + number for number in numbers)], [*tags, *words]

    def encode_phrase(self, text: str) -> list[int]:
        """Turn words into the token ids that they have inside a sentence, where no tag can be."""
        return self.plain.encode_phrase(text)

    def save(self, folder: Path) -> None:
        """Write the tokenizer without tags, and the tags."""
        self.plain.save(folder)
        write_atomic(folder / TAGS_FILE, json.dumps(self.tags, ensure_ascii=False, indent=2) + "\n")

    def _is_tag(self, token_id: int) -> bool:
        return token_id >= len(self.plain)


def read_tags(folder: Path) -> list[str]:
    """Read the tags that belong to the tokenizer in ``folder``; there may be none.

    Raises:
        CheckpointError: if the file is damaged.
    """
    path = folder / TAGS_FILE
    try:
        tags = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: the tags of the tokenizer cannot be read: {error}") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags) or len(set(tags)) != len(tags):
        raise CheckpointError(f"{path}: this is no list of tags, each once; restore it from a copy of the run")
    return tags


def with_tags(tokenizer: Tokenizer, tags: Sequence[str]) -> Tokenizer:
    """Return the tokenizer with ``tags`` behind those it has, so that no id changes."""
    plain, old = (tokenizer.plain, tokenizer.tags) if isinstance(tokenizer, TaggedTokenizer) else (tokenizer, ())
    every = tuple(dict.fromkeys([*old, *tags]))
    return TaggedTokenizer(plain, every) if every else plain
