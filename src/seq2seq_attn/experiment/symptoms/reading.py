"""From the files of a run to the facts that symptoms are read from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from seq2seq_attn.config.schema import CorpusConfig
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.record import read_record
from seq2seq_attn.data.tokenizers import UNK, Tokenizers
from seq2seq_attn.experiment.symptoms.facts import Side, Split
from seq2seq_attn.experiment.symptoms.splits import Shared

TEXT_PAIRS = 2000
"""Pairs of a split that are looked at as text."""

_BLOCK = 1 << 16  # sentences that are counted at once


def spread(total: int, wanted: int) -> list[int]:
    """Return ``wanted`` numbers below ``total``, evenly spread, or all of them."""
    if total <= wanted:
        return list(range(total))
    return [number * total // wanted for number in range(wanted)]


def read_encoded(name: str, folder: Path, tokenizers: Tokenizers) -> tuple[Split, EncodedCorpus]:
    """Read a split that preparation has encoded.

    Raises:
        DataError: if it is missing or damaged.
    """
    corpus = EncodedCorpus.open(folder)
    source = _side(corpus.source, corpus.source_lengths, len(tokenizers.source))
    target = _side(corpus.target, corpus.target_lengths, len(tokenizers.target))
    pairs = [
        (tokenizers.source.decode(corpus.source(number)), tokenizers.target.decode(corpus.target(number)))
        for number in spread(len(corpus), TEXT_PAIRS)
    ]
    return Split(name, source, target, pairs), corpus


def _side(read: Callable[[int], NDArray[Any]], lengths: NDArray[np.int64], vocabulary_size: int) -> Side:
    counts = np.zeros(vocabulary_size, np.int64)
    for begin in range(0, len(lengths), _BLOCK):
        block = [read(number) for number in range(begin, min(begin + _BLOCK, len(lengths)))]
        counts += np.bincount(np.concatenate(block), minlength=vocabulary_size)
    return Side(lengths, counts)


def read_text(
    name: str, corpus: CorpusConfig | Iterable[CorpusConfig], tokenizers: Tokenizers
) -> tuple[Split, list[tuple[list[int], list[int]]]]:
    """Read a split from its text files; return its token ids, too.

    Raises:
        DataError: if a file is missing or wrong.
    """
    pairs: list[SentencePair] = list(read_corpus(corpus))
    sources = tokenizers.source.encode_batch([pair.source for pair in pairs])
    targets = tokenizers.target.encode_batch([pair.target for pair in pairs])
    split = Split(
        name,
        Side.of(sources, len(tokenizers.source)),
        Side.of(targets, len(tokenizers.target)),
        [(pairs[number].source, pairs[number].target) for number in spread(len(pairs), TEXT_PAIRS)],
    )
    return split, list(zip(sources, targets, strict=True))


def find_shared(train: EncodedCorpus, splits: dict[str, Sequence[tuple[Sequence[int], Sequence[int]]]]) -> list[Shared]:
    """Look for the sentences of other splits in the training text.

    Sentences with an unknown token are not compared: two different ones can look alike.
    Only the splits are kept in memory, so the training text may be of any size.
    """
    pairs, sources = set(), set()
    for encoded in splits.values():
        for source, target in encoded:
            if source and UNK not in source:
                sources.add(_key(source))
                if UNK not in target:
                    pairs.add((_key(source), _key(target)))
    seen_pairs, seen_sources = set(), set()
    for number in tqdm(range(len(train)), desc="comparing splits", delay=1, leave=False, disable=None):
        source = _key(train.source(number))
        if source in sources:
            seen_sources.add(source)
            pair = (source, _key(train.target(number)))
            if pair in pairs:
                seen_pairs.add(pair)
    return [
        Shared(
            name,
            len(encoded),
            sum((_key(source), _key(target)) in seen_pairs for source, target in encoded),
            sum(_key(source) in seen_sources for source, _ in encoded),
        )
        for name, encoded in splits.items()
    ]


def _key(ids: Sequence[int] | NDArray[Any]) -> bytes:
    return np.asarray(ids, dtype=np.int32).tobytes()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read ``metrics.jsonl``; a line that was cut off when the machine died is left out."""
    records = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def read_counts(folder: Path) -> dict[str, int] | None:
    """Read how many training pairs were kept and dropped; None where no record says it."""
    counts = read_record(folder).get("counts")
    names = ("kept", "empty", "too_long")
    if not isinstance(counts, dict) or not all(isinstance(counts.get(name), int) for name in names):
        return None
    return {name: counts[name] for name in names}
