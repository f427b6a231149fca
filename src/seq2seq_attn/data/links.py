"""Gold word alignments of parallel text, read from files in Pharaoh format and checked against the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seq2seq_attn.alignment import ReferenceLinks, parse_pharaoh
from seq2seq_attn.config.corpora import FILES_KEY, CorpusConfig, corpus_format
from seq2seq_attn.data.corpus import SentencePair, by_file, read_corpus, read_lines
from seq2seq_attn.errors import DataError


class AlignedPair(NamedTuple):
    """A sentence pair with its gold alignment, where there is one."""

    pair: SentencePair
    reference: ReferenceLinks | None


def alignment_files(corpus: Iterable[CorpusConfig]) -> list[str]:
    """List the files of alignments that a corpus names."""
    return [path for part in corpus for path in part.alignments or ()]


def read_pharaoh(path: str | Path) -> Iterator[ReferenceLinks]:
    """Read alignments, one line per sentence pair: ``0-0 1-2``, source word first, counted from 0.

    ``1?2`` or ``1p2`` is a link that is possible but not sure. A line may be empty.

    Raises:
        DataError: if the file is missing or damaged, or something in it is no link.
    """
    for number, line in enumerate(read_lines(path), start=1):
        try:
            yield parse_pharaoh(line)
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: {str(error)[:40]!r} is not a link; links look like 0-0 1-2 (a source word, "
                "a target word, counted from 0), or 1?2 where one is possible but not sure"
            ) from error


def read_aligned(pairs: Iterable[SentencePair], path: str | Path, *, text: str) -> Iterator[AlignedPair]:
    """Read sentence pairs together with their alignments.

    Args:
        pairs: the sentence pairs.
        path: the file of their alignments, a line for each.
        text: what errors call the pairs.

    Raises:
        DataError: if there are more or fewer lines than pairs, or a link leads out of its sentence.
    """
    references = read_pharaoh(path)
    count = 0
    iterator = iter(pairs)
    for count, pair in enumerate(iterator, start=1):
        reference = next(references, None)
        if reference is None:
            raise _unequal(path, count - 1, text, count + sum(1 for _ in iterator))
        _check_numbers(f"{path}:{count}", reference, pair)
        yield AlignedPair(pair, reference)
    rest = sum(1 for _ in references)
    if rest:
        raise _unequal(path, count + rest, text, count)


def read_linked(corpus: Iterable[CorpusConfig]) -> Iterator[AlignedPair]:
    """Read the pairs of several corpora, with the alignments of those that name them.

    Raises:
        DataError: if a file is missing, damaged, or does not fit its partner.
    """
    for part in corpus:
        for single in by_file(part):
            pairs = read_corpus(single)
            if single.alignments is None:
                yield from (AlignedPair(pair, None) for pair in pairs)
            else:
                text = getattr(single, FILES_KEY[corpus_format(single)])[0]
                yield from read_aligned(pairs, single.alignments[0], text=text)


def _check_numbers(place: str, reference: ReferenceLinks, pair: SentencePair) -> None:
    if not reference.possible:
        return
    for side, name in enumerate(("source", "target")):
        words = len(pair[side].split())
        link = max(reference.possible, key=lambda link: link[side])
        if link[side] >= words:
            raise DataError(
                f"{place}: link {link[0]}-{link[1]} leads to {name} word {link[side]}, but the {name} sentence has "
                f"{words} {'word' if words == 1 else 'words'} (counted from 0; words are what whitespace separates)"
            )


def _unequal(path: str | Path, lines: int, text: str, pairs: int) -> DataError:
    return DataError(
        f"{path} has {lines} lines but {text} has {pairs} sentence pairs; line i must hold the links of pair i, "
        "and be empty where there are none"
    )
