"""Tokenizers: subwords, words or characters, one for each language or one for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.config.schema import TokenizerConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, SPECIALS, UNK, UNKNOWN_TEXT, Tokenizer
from seq2seq_attn.data.tokenizers.character import CharacterTokenizer
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


def train_tokenizers(config: TokenizerConfig, pairs: Iterable[SentencePair]) -> Tokenizers:
    """Learn the tokenizers of a corpus.

    Args:
        config: the kind of tokenizer and its size.
        pairs: the training text; read once when ``shared``, once for each language when not.

    Raises:
        ConfigError: if the text does not allow a vocabulary of the size asked for.
        DataError: if there is no text.
    """
    train = _trainer(config)
    if config.shared:
        tokenizer = train(text for pair in pairs for text in pair)
        return Tokenizers(tokenizer, tokenizer)
    return Tokenizers(train(pair.source for pair in pairs), train(pair.target for pair in pairs))


def _trainer(config: TokenizerConfig) -> Callable[[Iterable[str]], Tokenizer]:
    def train(texts: Iterable[str]) -> Tokenizer:
        if config.kind == "sentencepiece":
            from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer

            return SentencePieceTokenizer.train(
                texts,
                algorithm=config.algorithm,
                vocabulary_size=config.vocabulary_size,
                character_coverage=config.character_coverage,
            )
        kind = WordTokenizer if config.kind == "word" else CharacterTokenizer
        return kind.train(texts, vocabulary_size=config.vocabulary_size, minimum_frequency=config.minimum_frequency)

    return train
