"""Tokenizers: subwords, words or characters, one for each language or one for both."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from seq2seq_attn.config.schema import TokenizerConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, SPECIALS, UNK, UNKNOWN_TEXT, Tokenizer
from seq2seq_attn.data.tokenizers.character import CharacterTokenizer
from seq2seq_attn.data.tokenizers.tagged import TaggedTokenizer, read_tags, with_tags
from seq2seq_attn.data.tokenizers.vocabulary import SETTINGS_FILE, read_vocabulary
from seq2seq_attn.data.tokenizers.word import WordTokenizer
from seq2seq_attn.errors import CheckpointError

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "SPECIALS",
    "UNK",
    "UNKNOWN_TEXT",
    "CharacterTokenizer",
    "TaggedTokenizer",
    "Tokenizer",
    "Tokenizers",
    "WordTokenizer",
    "load_tokenizer",
    "train_tokenizers",
]

_SHARED, _SOURCE, _TARGET = "shared", "source", "target"  # folders


@dataclass(frozen=True)
class Tokenizers:
    """The tokenizer of each language; one object for both when they share it."""

    source: Tokenizer
    target: Tokenizer

    @property
    def shared(self) -> bool:
        """Whether both languages have one vocabulary."""
        return self.source is self.target

    def with_tags(self, tags: Sequence[str]) -> Tokenizers:
        """Add tags to the vocabulary of the source language, which is that of both if they share one."""
        source = with_tags(self.source, tags)
        return Tokenizers(source, source if self.shared else self.target)

    def save(self, folder: Path) -> None:
        """Write both, or the one that is shared, into ``folder``."""
        if self.shared:
            self.source.save(folder / _SHARED)
        else:
            self.source.save(folder / _SOURCE)
            self.target.save(folder / _TARGET)

    @classmethod
    def load(cls, folder: Path) -> Tokenizers:
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: if something is missing or damaged.
        """
        if (folder / _SHARED).is_dir():
            tokenizer = load_tokenizer(folder / _SHARED)
            return cls(tokenizer, tokenizer)
        return cls(load_tokenizer(folder / _SOURCE), load_tokenizer(folder / _TARGET))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer that its ``save`` wrote into ``folder``.

    Raises:
        CheckpointError: if it is missing, damaged, or of a kind that is not known here.
    """
    return with_tags(_load_plain(folder), read_tags(folder))


def _load_plain(folder: Path) -> Tokenizer:
    path = folder / SETTINGS_FILE
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: there is no tokenizer here ({SETTINGS_FILE} is missing)") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: the settings of the tokenizer cannot be read: {error}") from error
    match settings:
        case {"kind": "sentencepiece"}:
            from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer

            return SentencePieceTokenizer.load(folder)
        case {"kind": "word", "marks": bool(marks)}:
            return WordTokenizer(read_vocabulary(folder), marks=marks)
        case {"kind": "character"}:
            return CharacterTokenizer(read_vocabulary(folder))
    raise CheckpointError(
        f"{path}: this does not describe a tokenizer that this version knows (sentencepiece, word, character)"
    )


def train_tokenizers(
    config: TokenizerConfig,
    pairs: Iterable[SentencePair],
    *,
    seed: int = 1,
    report: Callable[[str], None] = lambda _: None,
) -> Tokenizers:
    """Learn the tokenizers of a corpus.

    Args:
        config: the kind of tokenizer and its size.
        pairs: the training text; read once when ``shared``, once for each language when not.
        seed: of the draw of ``training_sentences`` from a larger text.
        report: told in a line when there was such a draw.

    Raises:
        ConfigError: if the text does not allow a vocabulary of the size asked for.
        DataError: if there is no text.
    """

    def train(texts: Iterable[str], name: str) -> Tokenizer:
        if config.kind == "sentencepiece":
            from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer

            chosen, total = draw(texts, config.training_sentences, seed)
            if total > len(chosen):
                report(f"the tokenizer {name}learns from {len(chosen):,} of {total:,} sentences, drawn at random")
            return SentencePieceTokenizer.train(
                chosen,
                algorithm=config.algorithm,
                vocabulary_size=config.vocabulary_size,
                character_coverage=config.character_coverage,
            )
        kind = WordTokenizer if config.kind == "word" else CharacterTokenizer
        return kind.train(texts, vocabulary_size=config.vocabulary_size, minimum_frequency=config.minimum_frequency)

    if config.shared:
        tokenizer = train((text for pair in pairs for text in pair), "")
        return Tokenizers(tokenizer, tokenizer)
    source = train((pair.source for pair in pairs), "of the source language ")
    return Tokenizers(source, train((pair.target for pair in pairs), "of the target language "))


def draw(texts: Iterable[str], count: int, seed: int) -> tuple[list[str], int]:
    """Draw ``count`` of the texts, each with the same probability, or take all of them if there are no more.

    Li (1994), algorithm L, https://doi.org/10.1145/198429.198435: it draws how many texts to pass over.

    Returns:
        what was drawn, and how many there were.
    """
    iterator = iter(texts)
    chosen = list(islice(iterator, count))
    if len(chosen) < count:
        return chosen, len(chosen)
    generator = random.Random(seed)
    seen = count
    largest = math.exp(math.log(1 - generator.random()) / count)
    following = count + math.floor(math.log(1 - generator.random()) / math.log1p(-largest))
    for text in iterator:
        if seen == following:
            chosen[generator.randrange(count)] = text
            largest *= math.exp(math.log(1 - generator.random()) / count)
            following += 1 + math.floor(math.log(1 - generator.random()) / math.log1p(-largest))
        seen += 1
    return chosen, seen
