"""Subwords by sentencepiece: byte-pair encoding or a unigram language model."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path
from typing import SupportsIndex

import sentencepiece

from seq2seq_attn.data.tokenizers.base import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    UNKNOWN_TEXT,
    WORD_START,
    Tokenizer,
    number_words,
)
from seq2seq_attn.data.tokenizers.vocabulary import write_settings
from seq2seq_attn.errors import CheckpointError, ConfigError, DataError
from seq2seq_attn.files import write_atomic

MODEL_FILE = "sentencepiece.model"

# Sentencepiece writes a space as U+2581, so a U+2581 of the text would come back as a space; some other
# characters it refuses while training. All of them are spelled as two characters.
_ESCAPE = "\ue000"
_RESERVED = (_ESCAPE, WORD_START, "\u2585", "\t", "\0", "\n", "\r")
_SPELLED = {character: f"{_ESCAPE}{number}" for number, character in enumerate(_RESERVED)}
_PLAIN = {spelled: character for character, spelled in _SPELLED.items()}
# Half a surrogate pair is no character of any encoding: it becomes the replacement character.
_TO_ESCAPE = re.compile(f"[{''.join(_RESERVED)}\ud800-\udfff]")
_TO_UNESCAPE = re.compile(f"{_ESCAPE}[0-{len(_RESERVED) - 1}]")
# Sentencepiece does not learn from text that spells the name of a special symbol: these no text can spell.
_SPECIAL_PIECES = tuple(f"{_ESCAPE}{name}" for name in SPECIALS)

_TOO_LARGE = re.compile(r"Vocabulary size too high \(\d+\)\. Please set it to a value <= (\d+)")
_TOO_SMALL = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")
_MAX_SENTENCE_BYTES = 16384  # longer ones do not teach; 4192, the library's own limit, is 1,400 Chinese characters


class SentencePieceTokenizer(Tokenizer):
    """Subwords by sentencepiece, without any normalization.

    Args:
        model: the bytes of a sentencepiece model made by :meth:`train`.
    """

    kind = "sentencepiece"

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def train(
        cls, texts: Iterable[str], *, algorithm: str, vocabulary_size: int, character_coverage: float = 1.0
    ) -> SentencePieceTokenizer:
        """Learn the subwords of ``texts``; the same texts give the same model.

        Raises:
            ConfigError: if the texts do not allow a vocabulary of this size.
            DataError: if there is no text to learn from.
        """
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(escape(text) for text in texts),
                model_writer=model,
                model_type=algorithm,
                vocab_size=vocabulary_size,
                character_coverage=character_coverage,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=_MAX_SENTENCE_BYTES,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                pad_piece=_SPECIAL_PIECES[PAD],
                unk_piece=_SPECIAL_PIECES[UNK],
                bos_piece=_SPECIAL_PIECES[BOS],
                eos_piece=_SPECIAL_PIECES[EOS],
                unk_surface=UNKNOWN_TEXT,
                num_threads=1,  # sums of floats in one order
                minloglevel=3,
            )
        except RuntimeError as error:
            raise _explain(str(error), vocabulary_size) from error
        return cls(model.getvalue())

    @classmethod
    def load(cls, folder: Path) -> SentencePieceTokenizer:
        """Read the model that :meth:`save` wrote.

        Raises:
            CheckpointError: if it is missing, damaged, or was not made here.
        """
        path = folder / MODEL_FILE
        try:
            tokenizer = cls(path.read_bytes())
            if not len(tokenizer):
                raise RuntimeError("no model in an empty file")
        except OSError as error:
            raise CheckpointError(f"{path}: the model of the tokenizer cannot be read: {error}") from error
        except RuntimeError as error:
            raise CheckpointError(
                f"{path}: this is not a whole sentencepiece model; restore it from a copy of the run, or train again"
            ) from error
        pieces = map(tokenizer._processor.id_to_piece, range(min(len(SPECIALS), len(tokenizer))))
        if tuple(pieces) != _SPECIAL_PIECES:
            raise CheckpointError(
                f"{path}: this sentencepiece model was not trained by this package: its special symbols are others"
            )
        return tokenizer

    def save(self, folder: Path) -> None:
        """Write the model."""
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, self.kind, {})
        write_atomic(folder / MODEL_FILE, self._model)

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def __reduce__(self) -> tuple[type[SentencePieceTokenizer], tuple[bytes]]:
        return type(self), (self._model,)

    def tokenize(self, text: str) -> list[str]:
        """Split into subwords; ``▁`` begins a word."""
        pieces: list[str] = self._processor.encode(escape(text), out_type=str)
        return pieces

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids; neighboring unknown characters become one ``UNK``."""
        ids: list[list[int]] = self._processor.encode([escape(text) for text in texts], num_threads=1)
        return ids

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """Put the subwords together."""
        kept = [number for number in map(index, ids) if number not in (PAD, BOS, EOS)]
        return unescape(self._processor.decode(kept)) if kept else ""

    def id_to_token(self, token_id: int) -> str:
        """Return the subword of an id."""
        if token_id < len(SPECIALS):
            return SPECIALS[token_id]
        return str(self._processor.id_to_piece(token_id))

    def token_to_id(self, token: str) -> int:
        """Return the id of a subword."""
        if token in SPECIALS:
            return SPECIALS.index(token)
        return int(self._processor.piece_to_id(token))

    def is_word_start(self, token_id: int) -> bool:
        """Tell whether this subword begins with ``▁``."""
        return self.id_to_token(token_id).startswith(WORD_START)

    def surface(self, token_id: int) -> str:
        """Return the subword with a space for ``▁``; characters that are spelled as two stay so, as they may part."""
        if token_id in (PAD, BOS, EOS):
            return ""
        return UNKNOWN_TEXT if token_id == UNK else self.id_to_token(token_id).replace(WORD_START, " ")

    def spell(self, text: str) -> str:
        """Return ``text`` with some rare characters spelled as two."""
        return escape(text.strip())

    def word_numbers(self, text: str) -> list[int]:
        """Return for each subword the number of the word it belongs to."""
        pieces = self.tokenize(text)
        # a tab is spelled as two letters while it is encoded, and yet it separates words
        spelled = "".join(pieces).replace(WORD_START, " ")
        return number_words(pieces, _TO_UNESCAPE.sub(lambda match: _PLAIN[match.group()] * 2, spelled))

    def scores(self) -> dict[str, tuple[int, float]]:
        """Return the id and the score of each subword, special symbols left out."""
        numbers = range(len(SPECIALS), len(self))
        return {self.id_to_token(number): (number, self._processor.get_score(number)) for number in numbers}


def escape(text: str) -> str:
    """Spell what sentencepiece would not give back; :func:`unescape` is the way back."""
    if _TO_ESCAPE.search(text) is None:
        return text
    return _TO_ESCAPE.sub(lambda match: _SPELLED.get(match.group(), "\ufffd"), text)


def unescape(text: str) -> str:
    """Undo :func:`escape`."""
    return _TO_UNESCAPE.sub(lambda match: _PLAIN[match.group()], text) if _ESCAPE in text else text


def _explain(message: str, vocabulary_size: int) -> ConfigError | DataError:
    found = _TOO_LARGE.search(message)
    if found:
        return ConfigError(
            f"tokenizer.vocabulary_size is {vocabulary_size}, but the training text allows {found[1]} at most; "
            "make it smaller or train on more text"
        )
    found = _TOO_SMALL.search(message)
    if found:
        return ConfigError(
            f"tokenizer.vocabulary_size is {vocabulary_size}, but the characters of the training text "
            f"need {found[1]} at least; make it larger or lower tokenizer.character_coverage"
        )
    if "character_coverage() >=" in message:
        return ConfigError("tokenizer.character_coverage must lie between 0.98 and 1 for sentencepiece")
    if "sentences_.empty()" in message:
        return DataError("the tokenizer has no text to learn from: every line of the training set is empty")
    return ConfigError(f"sentencepiece could not learn a tokenizer: {message}")
