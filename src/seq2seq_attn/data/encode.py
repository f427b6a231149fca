"""Parallel text to token ids on disk, in blocks, so that a corpus need not fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from seq2seq_attn.config.corpora import CorpusConfig
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import SentencePair, corpus_files, read_corpus
from seq2seq_attn.data.encoded import RaggedWriter, ids_path, text_path
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import DataError

_BLOCK = 4096  # sentence pairs that are encoded at once


@dataclass(frozen=True)
class Counts:
    """What became of the sentence pairs of the training set."""

    kept: int = 0
    empty: int = 0
    too_long: int = 0

    @property
    def pairs(self) -> int:
        """All pairs that were read."""
        return self.kept + self.empty + self.too_long

    def describe(self, max_length: int) -> str:
        """Say it in one line."""
        dropped = [
            f"{number:,} {why}"
            for number, why in (
                (self.empty, "with an empty side"),
                (self.too_long, f"longer than data.max_length = {max_length} tokens"),
            )
            if number
        ]
        kept = f"{self.kept:,} of {self.pairs:,} training pairs kept"
        return kept + (f"; dropped {' and '.join(dropped)}" if dropped else "")


def encode_training(config: Config, tokenizers: Tokenizers, folder: Path) -> Counts:
    """Write the training pairs into ``folder``, those that are empty or too long left out and counted."""
    kept = empty = too_long = 0
    limit = config.data.max_length
    with _Writers(folder, tokenizers, keep_text=config.tokenizer.sampling > 0) as writers:
        for block in _blocks(CorpusPairs(config.data.train, "encoding the training set")):
            full = [pair for pair in block if pair.source.strip() and pair.target.strip()]
            encoded = _encode(tokenizers, full)
            short = [(pair, ids) for pair, ids in zip(full, encoded, strict=True) if max(map(len, ids)) <= limit]
            writers.write([pair for pair, _ in short], [ids for _, ids in short])
            empty += len(block) - len(full)
            too_long += len(full) - len(short)
            kept += len(short)
    counts = Counts(kept, empty, too_long)
    if not kept:
        files = ", ".join(corpus_files(config.data.train))
        raise DataError(f"data.train leaves nothing to learn from: {counts.describe(limit)} ({files})")
    return counts


def encode_validation(config: Config, tokenizers: Tokenizers, folder: Path) -> None:
    """Write the validation pairs into ``folder``, every one: their numbers must stay those of the lines."""
    count = 0
    with _Writers(folder, tokenizers, keep_text=False) as writers:
        for block in _blocks(CorpusPairs(config.data.validation, "encoding the validation set")):
            writers.write(block, _encode(tokenizers, block))
            count += len(block)
    if not count:
        files = ", ".join(corpus_files(config.data.validation))
        raise DataError(f"data.validation holds no sentence pair ({files})")


def _encode(tokenizers: Tokenizers, pairs: list[SentencePair]) -> list[tuple[list[int], list[int]]]:
    sources = tokenizers.source.encode_batch([pair.source for pair in pairs])
    targets = tokenizers.target.encode_batch([pair.target for pair in pairs])
    return list(zip(sources, targets, strict=True))


class _Writers:
    """The files of one encoded corpus: token ids of both sides, and their text if it is kept."""

    def __init__(self, folder: Path, tokenizers: Tokenizers, *, keep_text: bool) -> None:
        folder.mkdir()
        self._stack = contextlib.ExitStack()
        paths = [
            ids_path(folder, "source", len(tokenizers.source)),
            ids_path(folder, "target", len(tokenizers.target)),
        ]
        self._ids = [self._stack.enter_context(RaggedWriter(path)) for path in paths]
        self._text = [
            self._stack.enter_context(RaggedWriter(text_path(folder, side)))
            for side in ("source", "target")
            if keep_text
        ]

    def __enter__(self) -> _Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, pairs: list[SentencePair], encoded: list[tuple[list[int], list[int]]]) -> None:
        for side, writer in enumerate(self._ids):
            writer.write(ids[side] for ids in encoded)
        for side, writer in enumerate(self._text):
            writer.write(pair[side].encode() for pair in pairs)


class CorpusPairs:
    """The pairs of a corpus, as often as they are asked for, with a progress bar when it takes seconds."""

    def __init__(self, corpus: Iterable[CorpusConfig], doing: str) -> None:
        self._corpus = corpus
        self._doing = doing

    def __iter__(self) -> Iterator[SentencePair]:
        pairs = read_corpus(self._corpus)
        # disable=None: no bar where nobody watches
        yield from tqdm(pairs, desc=self._doing, unit=" pairs", delay=1, leave=False, disable=None)


def _blocks(pairs: Iterable[SentencePair]) -> Iterator[list[SentencePair]]:
    iterator = iter(pairs)
    while block := list(islice(iterator, _BLOCK)):
        yield block
