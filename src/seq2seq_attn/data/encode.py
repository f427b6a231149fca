"""Parallel text to token ids on disk, in blocks, so that a corpus need not fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeVar

from tqdm import tqdm

from seq2seq_attn.alignment import Links
from seq2seq_attn.config.corpora import CorpusConfig
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import SentencePair, corpus_files, read_corpus
from seq2seq_attn.data.encoded import ids_path, text_path
from seq2seq_attn.data.links import AlignedPair, alignment_files, read_linked
from seq2seq_attn.data.ragged import RaggedWriter
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.data.word_links import WordLinksWriter
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
    is_aligned = bool(alignment_files(config.data.train))
    with _Writers(folder, tokenizers, keep_text=config.tokenizer.sampling > 0, keep_links=is_aligned) as writers:
        for block in _blocks(_watched(read_linked(config.data.train), "encoding the training set")):
            full = [one for one in block if one.pair.source.strip() and one.pair.target.strip()]
            short = [one for one in _encode(tokenizers, full) if max(len(one.source), len(one.target)) <= limit]
            writers.write(short)
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
    with _Writers(folder, tokenizers, keep_text=False, keep_links=False) as writers:
        for block in _blocks(_watched(read_linked(config.data.validation), "encoding the validation set")):
            writers.write(_encode(tokenizers, block))
            count += len(block)
    if not count:
        files = ", ".join(corpus_files(config.data.validation))
        raise DataError(f"data.validation holds no sentence pair ({files})")


class _Encoded(NamedTuple):
    """A pair that is going to be written."""

    pair: SentencePair
    links: Links
    source: list[int]
    target: list[int]


def _encode(tokenizers: Tokenizers, pairs: list[AlignedPair]) -> list[_Encoded]:
    sources = tokenizers.source.encode_batch([pair.source for pair, _ in pairs])
    targets = tokenizers.target.encode_batch([pair.target for pair, _ in pairs])
    return [
        # a link that is not sure is nothing to learn from
        _Encoded(pair, [] if reference is None else reference.sure, source, target)
        for (pair, reference), source, target in zip(pairs, sources, targets, strict=True)
    ]


class _Writers:
    """The files of one encoded corpus: token ids of both sides; their text and gold alignments if they are kept."""

    def __init__(self, folder: Path, tokenizers: Tokenizers, *, keep_text: bool, keep_links: bool) -> None:
        folder.mkdir()
        self._tokenizers = tokenizers
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
        self._links = self._stack.enter_context(WordLinksWriter(folder)) if keep_links else None

    def __enter__(self) -> _Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, encoded: list[_Encoded]) -> None:
        for writer, ids in zip(self._ids, ("source", "target"), strict=True):
            writer.write(getattr(one, ids) for one in encoded)
        for side, writer in enumerate(self._text):
            writer.write(one.pair[side].encode() for one in encoded)
        if self._links is not None:
            sources = (self._tokenizers.source.word_numbers(one.pair.source) for one in encoded)
            targets = (self._tokenizers.target.word_numbers(one.pair.target) for one in encoded)
            self._links.write((one.links for one in encoded), sources, targets)


class CorpusPairs:
    """The pairs of a corpus, as often as they are asked for, with a progress bar when it takes seconds."""

    def __init__(self, corpus: Iterable[CorpusConfig], doing: str) -> None:
        self._corpus = corpus
        self._doing = doing

    def __iter__(self) -> Iterator[SentencePair]:
        return _watched(read_corpus(self._corpus), self._doing)


_Item = TypeVar("_Item")


def _watched(items: Iterable[_Item], doing: str) -> Iterator[_Item]:
    # disable=None: no bar where nobody watches
    yield from tqdm(items, desc=doing, unit=" pairs", delay=1, leave=False, disable=None)


def _blocks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while block := list(islice(iterator, _BLOCK)):
        yield block
