"""Parallel text from files: two text files, TSV, JSONL or Parquet. Everything wrong is told with its file and line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from seq2seq_attn.config.corpora import AnyCorpus, CorpusConfig, JsonlCorpus, ParquetCorpus, TextCorpus, TsvCorpus
from seq2seq_attn.data.lines import open_file, read_lines
from seq2seq_attn.errors import DataError, did_you_mean
from seq2seq_attn.libraries import optional_import

_Item = TypeVar("_Item")


class SentencePair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


def read_corpus(corpus: CorpusConfig | Iterable[CorpusConfig]) -> Iterator[SentencePair]:
    """Read the sentence pairs of a corpus, or of several one after the other; sources have their tag in front.

    Raises:
        DataError: if a file is missing, damaged, or does not fit its partner.
    """
    if not isinstance(corpus, AnyCorpus):
        for part in corpus:
            yield from read_corpus(part)
        return
    pairs = first_pairs(corpus, _read_files(corpus))
    if corpus.tag is None:
        yield from pairs
    else:
        yield from (SentencePair(f"{corpus.tag} {source}", target) for source, target in pairs)


def first_pairs(corpus: CorpusConfig, items: Iterable[_Item]) -> Iterator[_Item]:
    """Keep of what is read of a corpus, an item for each pair, as many as it asks for.

    Raises:
        DataError: if there are fewer.
    """
    if corpus.pairs is None:
        yield from items
        return
    missing = corpus.pairs
    for item in islice(items, corpus.pairs):
        yield item
        missing -= 1
    if missing:
        files = ", ".join(corpus_files(corpus))
        raise DataError(
            f"{files}: {_count(corpus.pairs - missing, 'pair')} in all, but the first {corpus.pairs} are asked for; "
            "write a smaller number of pairs, or null for all"
        )


def _read_files(corpus: CorpusConfig) -> Iterator[SentencePair]:
    match corpus:
        case TextCorpus():
            for source, target in _text_files(corpus):
                yield from _read_side_by_side(source, target)
        case TsvCorpus():
            for path in corpus.tsv:
                yield from _read_tsv(path, corpus.source_column, corpus.target_column)
        case JsonlCorpus():
            for path in corpus.jsonl:
                yield from _read_jsonl(path, corpus.source, corpus.target)
        case ParquetCorpus():
            for path in corpus.parquet:
                yield from _read_parquet(path, corpus.source, corpus.target)


def corpus_files(corpus: CorpusConfig | Iterable[CorpusConfig]) -> list[str]:
    """List the files that :func:`read_corpus` reads."""
    match corpus:
        case TextCorpus():
            return [*corpus.source, *corpus.target]
        case TsvCorpus():
            return list(corpus.tsv)
        case JsonlCorpus():
            return list(corpus.jsonl)
        case ParquetCorpus():
            return list(corpus.parquet)
        case _:
            return [path for part in corpus for path in corpus_files(part)]


def by_file(corpus: CorpusConfig) -> list[CorpusConfig]:
    """Take a corpus apart into one for each of its files, or pairs of files, with the alignments that go with it.

    Each is of all pairs of its files: how many are asked for can be counted over all of them only.

    Raises:
        DataError: if its files are no pairs.
    """
    match corpus:
        case TextCorpus():
            files = [{"source": (source,), "target": (target,)} for source, target in _text_files(corpus)]
        case TsvCorpus():
            files = [{"tsv": (path,)} for path in corpus.tsv]
        case JsonlCorpus():
            files = [{"jsonl": (path,)} for path in corpus.jsonl]
        case ParquetCorpus():
            files = [{"parquet": (path,)} for path in corpus.parquet]
    alignments = [None] * len(files) if corpus.alignments is None else [(path,) for path in corpus.alignments]
    return [
        corpus.model_copy(update={**paths, "alignments": links, "pairs": None})
        for paths, links in zip(files, alignments, strict=True)
    ]


def _text_files(corpus: TextCorpus) -> list[tuple[str, str]]:
    if len(corpus.source) != len(corpus.target):
        raise DataError(
            f"a corpus has {len(corpus.source)} source files but {len(corpus.target)} target files; "
            "name them in pairs, in the same order"
        )
    return list(zip(corpus.source, corpus.target, strict=True))


def _read_side_by_side(source: str, target: str) -> Iterator[SentencePair]:
    sources, targets = read_lines(source), read_lines(target)
    count = 0
    for count, line in enumerate(sources, start=1):
        translation = next(targets, None)
        if translation is None:
            raise _unequal(source, count + sum(1 for _ in sources), target, count - 1)
        yield SentencePair(line, translation)
    rest = sum(1 for _ in targets)
    if rest:
        raise _unequal(source, count, target, count + rest)


def _unequal(source: str, source_lines: int, target: str, target_lines: int) -> DataError:
    shorter = source if source_lines < target_lines else target
    return DataError(
        f"{source} has {source_lines} lines but {target} has {target_lines}: {shorter} is shorter by "
        f"{abs(source_lines - target_lines)}; line i of one must translate line i of the other"
    )


def _read_tsv(path: str, source_column: int, target_column: int) -> Iterator[SentencePair]:
    needed = max(source_column, target_column) + 1
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t")
        if len(columns) < needed:
            raise DataError(
                f"{path}:{number}: {_count(len(columns), 'column')}, but column {needed - 1} is asked for "
                "(the first one is 0); columns are separated by tabs"
            )
        yield SentencePair(columns[source_column], columns[target_column])


def _read_jsonl(path: str, source: str, target: str) -> Iterator[SentencePair]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits is JSON, and yet cannot be read
            raise DataError(f"{place}: this is not JSON ({error}); each line holds one object") from error
        if not isinstance(record, dict):
            raise DataError(f"{place}: expected a JSON object with the keys {source!r} and {target!r}")
        yield SentencePair(_json_text(place, record, source), _json_text(place, record, target))


def _json_text(place: str, record: dict[str, Any], key: str) -> str:
    if key not in record:
        known = ", ".join(map(repr, record)) or "no key at all"
        raise DataError(f"{place}: no key {key!r}{did_you_mean(key, record)} (found {known})")
    text = record[key]
    if not isinstance(text, str):
        raise DataError(f"{place}: {key!r} must be text, got {json.dumps(text)[:60]}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON can spell one half of a surrogate pair
        raise DataError(f"{place}: {key!r} holds half a surrogate pair, which is no character") from error
    return text


def _read_parquet(path: str, source: str, target: str) -> Iterator[SentencePair]:
    parquet = optional_import("pyarrow.parquet", feature="reading Parquet", extra="data")
    arrow = optional_import("pyarrow", feature="reading Parquet", extra="data")
    with open_file(path) as binary:
        try:
            file = parquet.ParquetFile(binary)
        except arrow.ArrowInvalid as error:
            raise DataError(f"{path}: this is not a whole Parquet file ({error})") from error
        names = file.schema_arrow.names
        for column in (source, target):
            if column not in names:
                known = ", ".join(map(repr, names))
                raise DataError(f"{path}: no column {column!r}{did_you_mean(column, names)} (found {known})")
        row = 0
        for part in file.iter_batches(columns=[source, target]):
            try:
                columns = [part.column(name).to_pylist() for name in (source, target)]
            except UnicodeDecodeError as error:
                rows = f"rows {row + 1} to {row + part.num_rows}"
                raise DataError(f"{path}, {rows}: there is text that is not UTF-8 ({error}); write it anew") from error
            for texts in zip(*columns, strict=True):
                row += 1
                for column, text in zip((source, target), texts, strict=True):
                    if not isinstance(text, str):
                        raise DataError(f"{path}, row {row}: {column!r} must be text, got {text!r}")
                yield SentencePair(*texts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
