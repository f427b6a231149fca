"""Parallel text to token ids on disk, in blocks, so that a corpus need not fit into memory."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tqdm import tqdm

from seq2seq_attn.config.corpora import CorpusConfig
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import SentencePair, corpus_files, read_corpus
from seq2seq_attn.data.encoded import ids_path, text_path
from seq2seq_attn.data.links import AlignedPair, alignment_files, read_linked
from seq2seq_attn.data.ragged import RaggedWriter, Rows, values_dtype
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.data.word_links import links_paths
from seq2seq_attn.data.workers import available_cores, map_in_order
from seq2seq_attn.errors import DataError
from seq2seq_attn.files import write_atomic

_BLOCK = 8192  # sentence pairs that are encoded at once
_BLOCKS_PER_NOTE = 16  # blocks between two notes of how far the encoding is
_WORTH_TELLING = 5.0  # seconds

Report = Callable[[str], None]


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

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.kept + other.kept, self.empty + other.empty, self.too_long + other.too_long)


def encode_training(
    config: Config, tokenizers: Tokenizers, folder: Path, *, notes: Path, report: Report
) -> list[Counts]:
    """Write the training pairs into ``folder``, those that are empty or too long left out and counted.

    The files are the same with any number of processes, and with any number of interruptions.

    Args:
        config: which pairs, and how many processes.
        tokenizers: of both languages.
        folder: what an interrupted call has left in it is gone on with, if ``notes`` say how far it is.
        notes: a file of notes; to be deleted when text or tokenizers are others.
        report: told what is gone on with, and how fast it went.

    Returns:
        The counts of each corpus of ``data.train``.
    """
    limit = config.data.max_length
    is_aligned = bool(alignment_files(config.data.train))
    encoder = _Encoder(tokenizers, limit, keep_text=config.tokenizer.sampling > 0, keep_links=is_aligned)
    workers = available_cores() if config.data.workers == "auto" else config.data.workers
    counts = _write(encoder, config.data.train, folder, notes, workers, report)
    total = sum(counts, Counts())
    if not total.kept:
        files = ", ".join(corpus_files(config.data.train))
        raise DataError(f"data.train leaves nothing to learn from: {total.describe(limit)} ({files})")
    return counts


def encode_validation(config: Config, tokenizers: Tokenizers, folder: Path) -> None:
    """Write the validation pairs into ``folder``, every one: their numbers must stay those of the lines."""
    encoder = _Encoder(tokenizers, None, keep_text=False, keep_links=False)
    notes = folder.with_name(f"{folder.name}.notes.json")
    notes.unlink(missing_ok=True)
    counts = _write(encoder, config.data.validation, folder, notes, 1, lambda _: None)
    notes.unlink()
    if not sum(counts, Counts()).kept:
        files = ", ".join(corpus_files(config.data.validation))
        raise DataError(f"data.validation holds no sentence pair ({files})")


class _Block(NamedTuple):
    """Neighboring pairs of one corpus of the configuration."""

    part: int
    pairs: list[AlignedPair]


class _EncodedBlock(NamedTuple):
    """What is written of a block: a piece of each file."""

    part: int
    files: list[Rows]
    counts: Counts


class _Encoder:
    """Turns blocks of pairs into what is written of them.

    Args:
        tokenizers: of both languages.
        max_length: tokens that a side may have, else the pair is left out, as one with an empty side;
            None for every pair as it is.
        keep_text: whether the text is written, too.
        keep_links: whether gold alignments are written, too.
    """

    def __init__(self, tokenizers: Tokenizers, max_length: int | None, *, keep_text: bool, keep_links: bool) -> None:
        self._tokenizers = tokenizers
        self.leaves_out = max_length is not None
        self._max_length = max_length
        self._keep_text = keep_text
        self._keep_links = keep_links

    def paths(self, folder: Path) -> list[Path]:
        """Name the files, in the order of the pieces of a block."""
        paths = [
            ids_path(folder, "source", len(self._tokenizers.source)),
            ids_path(folder, "target", len(self._tokenizers.target)),
        ]
        if self._keep_text:
            paths += [text_path(folder, side) for side in ("source", "target")]
        return paths + (links_paths(folder) if self._keep_links else [])

    def __call__(self, block: _Block) -> _EncodedBlock:
        full = block.pairs if self._max_length is None else [one for one in block.pairs if self._has_text(one.pair)]
        sources = self._tokenizers.source.encode_batch([pair.source for pair, _ in full])
        targets = self._tokenizers.target.encode_batch([pair.target for pair, _ in full])
        kept = [number for number in range(len(full)) if self._is_short(sources[number], targets[number])]
        counts = Counts(len(kept), len(block.pairs) - len(full), len(full) - len(kept))
        columns = self._columns([full[number] for number in kept])
        columns[:0] = [[ids[number] for number in kept] for ids in (sources, targets)]
        dtypes = [values_dtype(path) for path in self.paths(Path())]
        files = [Rows.of(rows, dtype) for rows, dtype in zip(columns, dtypes, strict=True)]
        return _EncodedBlock(block.part, files, counts)

    def _has_text(self, pair: SentencePair) -> bool:
        return bool(self._tokenizers.source.split_tags(pair.source)[1].strip() and pair.target.strip())

    def _is_short(self, source: list[int], target: list[int]) -> bool:
        return self._max_length is None or max(len(source), len(target)) <= self._max_length

    def _columns(self, kept: list[AlignedPair]) -> list[Sequence[Any]]:
        """Return what is written besides the token ids."""
        columns: list[Sequence[Any]] = []
        if self._keep_text:
            columns += [[pair.source.encode() for pair, _ in kept], [pair.target.encode() for pair, _ in kept]]
        if self._keep_links:
            # a link that is not sure is nothing to learn from
            sure = [[] if reference is None else reference.sure for _, reference in kept]
            columns.append([list(chain.from_iterable(links)) for links in sure])
            columns.append([self._tokenizers.source.word_numbers(pair.source) for pair, _ in kept])
            columns.append([self._tokenizers.target.word_numbers(pair.target) for pair, _ in kept])
        return columns


@dataclass
class _Progress:
    """How far an encoding is: all that is needed to go on.

    Attributes:
        blocks: that are whole in the files.
        rows: that they are.
        counts: of each corpus of the configuration.
        done: whether nothing is left to do.
    """

    blocks: int
    rows: int
    counts: list[Counts]
    done: bool = False

    @classmethod
    def read(cls, notes: Path, parts: int) -> _Progress:
        try:
            found = json.loads(notes.read_bytes())
        except (OSError, ValueError):
            return cls(0, 0, [Counts()] * parts)
        return cls(found["blocks"], found["rows"], [Counts(**counts) for counts in found["counts"]], found["done"])

    @property
    def pairs(self) -> int:
        return sum(self.counts, Counts()).pairs

    def write(self, notes: Path, writers: Iterable[RaggedWriter]) -> None:
        for writer in writers:
            writer.sync()  # first the files, then the notes of what is in them
        write_atomic(notes, json.dumps(asdict(self), indent=2) + "\n")


def _write(
    encoder: _Encoder, corpus: Sequence[CorpusConfig], folder: Path, notes: Path, workers: int, report: Report
) -> list[Counts]:
    folder.mkdir(parents=True, exist_ok=True)
    progress = _Progress.read(notes, len(corpus))
    begun = progress.pairs
    if begun:
        report(f"going on with an interrupted preparation: {begun:,} pairs are encoded")
    if progress.done:
        return progress.counts
    start = time.perf_counter()
    doing = f"encoding the {'training' if encoder.leaves_out else 'validation'} set"
    with (
        contextlib.ExitStack() as stack,
        tqdm(desc=doing, unit=" pairs", initial=begun, delay=1, leave=False, disable=None) as bar,
    ):
        writers = [stack.enter_context(RaggedWriter(path, keep=progress.rows)) for path in encoder.paths(folder)]
        waiting = islice(_blocks(corpus), progress.blocks, None)
        for block in map_in_order(encoder, waiting, workers):
            for writer, rows in zip(writers, block.files, strict=True):
                writer.append(rows)
            progress.blocks += 1
            progress.rows += block.counts.kept
            progress.counts[block.part] += block.counts
            bar.update(block.counts.pairs)
            if progress.blocks % _BLOCKS_PER_NOTE == 0:
                progress.write(notes, writers)
    progress.done = True
    progress.write(notes, ())
    seconds, pairs = time.perf_counter() - start, progress.pairs - begun
    if seconds > _WORTH_TELLING:
        by = "1 process" if workers == 1 else f"{workers} processes"
        report(f"encoded {pairs:,} pairs in {seconds:.0f} seconds ({pairs / seconds:,.0f} a second, {by})")
    return progress.counts


class CorpusPairs:
    """The pairs of a corpus, as often as they are asked for, with a progress bar when it takes seconds."""

    def __init__(self, corpus: Iterable[CorpusConfig], doing: str) -> None:
        self._corpus = corpus
        self._doing = doing

    def __iter__(self) -> Iterator[SentencePair]:
        # disable=None: no bar where nobody watches
        pairs = read_corpus(self._corpus)
        yield from tqdm(pairs, desc=self._doing, unit=" pairs", delay=1, leave=False, disable=None)


_Item = TypeVar("_Item")


def _blocks(corpus: Iterable[CorpusConfig]) -> Iterator[_Block]:
    for number, part in enumerate(corpus):
        pairs = iter(read_linked([part]))
        while block := list(islice(pairs, _BLOCK)):
            yield _Block(number, block)
