"""Gold word alignments of parallel text, read from files in Pharaoh or NAACL format and checked against the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from seq2seq_attn.alignment import LinkFormat, Links, NumberedLink, ReferenceLinks, parse_naacl, parse_pharaoh
from seq2seq_attn.config.corpora import FILES_KEY, CorpusConfig, corpus_format
from seq2seq_attn.data.corpus import SentencePair, by_file, first_pairs, read_corpus
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import DataError


class AlignedPair(NamedTuple):
    """A sentence pair with its gold alignment, where there is one."""

    pair: SentencePair
    reference: ReferenceLinks | None


def alignment_files(corpus: Iterable[CorpusConfig]) -> list[str]:
    """List the files of alignments that a corpus names."""
    return [path for part in corpus for path in part.alignments or ()]


def link_format(line: str) -> LinkFormat:
    """Tell from a line that is not blank in which format its file is."""
    try:
        parse_naacl(line)
    except ValueError:
        return "pharaoh"
    return "naacl"


def read_pharaoh(path: str | Path, *, first: int = 0) -> Iterator[ReferenceLinks]:
    """Read alignments, one line per sentence pair: ``0-0 1-2``, source word first.

    ``1?2`` or ``1p2`` is a link that is possible but not sure. A line may be empty.

    Args:
        path: the file.
        first: the number of the first word in it, 0 or 1.

    Raises:
        DataError: if the file is missing or damaged, or something in it is no link.
    """
    yield from _pharaoh_links(path, read_lines(path), first)


def read_aligned(
    pairs: Iterable[SentencePair], path: str | Path, *, text: str, first: int = 0
) -> Iterator[AlignedPair]:
    """Read sentence pairs together with their alignments, in either format: the first line shows which.

    Pharaoh: a line for each pair, see :func:`read_pharaoh`. NAACL: a line ``sentence source target [S|P]
    [confidence]`` for each link, counted from 1, sentences in ascending order; 0 stands for "no word",
    and such lines are left out.

    Args:
        pairs: the sentence pairs.
        path: the file of their alignments.
        text: what errors call the pairs.
        first: the number of the first word in a file in Pharaoh format, 0 or 1.

    Raises:
        DataError: if there are more or fewer lines than pairs, or a link leads out of its sentence.
    """
    lines = read_lines(path)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    whole = chain(head, lines)
    if head and link_format(head[-1]) == "naacl":
        yield from _aligned_naacl(pairs, path, whole, text)
    else:
        yield from _aligned_pharaoh(pairs, path, _pharaoh_links(path, whole, first), text, first)


def read_linked(corpus: Iterable[CorpusConfig]) -> Iterator[AlignedPair]:
    """Read the pairs of several corpora, with the alignments of those that name them.

    The files of alignments do not count tags as words; what is given does.

    Raises:
        DataError: if a file is missing, damaged, or does not fit its partner.
    """
    for part in corpus:
        yield from first_pairs(part, _read_linked_files(part))


def _read_linked_files(corpus: CorpusConfig) -> Iterator[AlignedPair]:
    for single in by_file(corpus):
        if single.alignments is None:
            yield from (AlignedPair(pair, None) for pair in read_corpus(single))
        else:
            text = getattr(single, FILES_KEY[corpus_format(single)])[0]
            plain = read_corpus(single.model_copy(update={"tag": None}))
            aligned = read_aligned(plain, single.alignments[0], text=text)
            yield from aligned if single.tag is None else (_tagged(one, single.tag) for one in aligned)


def _tagged(aligned: AlignedPair, tag: str) -> AlignedPair:
    (source, target), reference = aligned
    if reference is not None:
        shifted = ([(word + 1, other) for word, other in links] for links in reference)
        reference = ReferenceLinks(*shifted)
    return AlignedPair(SentencePair(f"{tag} {source}", target), reference)


def _pharaoh_links(path: str | Path, lines: Iterable[str], first: int) -> Iterator[ReferenceLinks]:
    for number, line in enumerate(lines, start=1):
        try:
            yield parse_pharaoh(line, first=first)
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: {str(error)[:40]!r} is not a link; links look like {first}-{first} "
                f"{first + 1}-{first + 2} (a source word, a target word, counted from {first}), "
                f"or {first + 1}?{first + 2} where one is possible but not sure"
            ) from error


def _aligned_pharaoh(
    pairs: Iterable[SentencePair], path: str | Path, references: Iterator[ReferenceLinks], text: str, first: int
) -> Iterator[AlignedPair]:
    count = 0
    iterator = iter(pairs)
    for count, pair in enumerate(iterator, start=1):
        reference = next(references, None)
        if reference is None:
            raise _unequal(path, count - 1, text, count + sum(1 for _ in iterator))
        if reference.possible:
            for side in (0, 1):
                farthest = max(reference.possible, key=lambda link: link[side])
                _check_inside(f"{path}:{count}", farthest, pair, first)
        yield AlignedPair(pair, reference)
    rest = sum(1 for _ in references)
    if rest:
        raise _unequal(path, count + rest, text, count)


def _aligned_naacl(
    pairs: Iterable[SentencePair], path: str | Path, lines: Iterable[str], text: str
) -> Iterator[AlignedPair]:
    links = _naacl_links(path, lines)
    waiting = next(links, None)
    count = 0
    for count, pair in enumerate(pairs, start=1):
        sure: Links = []
        possible: Links = []
        while waiting is not None and waiting[1].sentence == count:
            number, found = waiting
            if found.source and found.target:
                link = found.source - 1, found.target - 1
                _check_inside(f"{path}:{number}", link, pair, 1)
                possible.append(link)
                if found.sure:
                    sure.append(link)
            waiting = next(links, None)
        yield AlignedPair(pair, ReferenceLinks(sorted(set(sure)), sorted(set(possible))))
    if waiting is not None:
        number, found = waiting
        raise DataError(
            f"{path}:{number}: a link of sentence {found.sentence}, but {text} has {_many(count, 'sentence pair')}; "
            "sentences are counted from 1"
        )


def _naacl_links(path: str | Path, lines: Iterable[str]) -> Iterator[tuple[int, NumberedLink]]:
    before = 1
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            link = parse_naacl(line)
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: {line.strip()[:40]!r} is not a link; links look like 1 1 1 S (the sentence, "
                "a source word, a target word, counted from 1, and S for sure or P for possible)"
            ) from error
        if link.sentence < 1:
            raise DataError(f"{path}:{number}: a link of sentence 0, but sentences are counted from 1")
        if link.sentence < before:
            raise DataError(
                f"{path}:{number}: a link of sentence {link.sentence} comes behind those of sentence {before}; "
                f"sort the file first: sort -s -n -k 1,1 {path}"
            )
        before = link.sentence
        yield number, link


def _check_inside(place: str, link: tuple[int, int], pair: SentencePair, first: int) -> None:
    for side, name in enumerate(("source", "target")):
        words = len(pair[side].split())
        if link[side] >= words:
            start = "0 (a file that counts from 1 is read with --one-based)" if first == 0 else "1"
            raise DataError(
                f"{place}: link {link[0] + first}-{link[1] + first} leads to {name} word {link[side] + first}, but the "
                f"{name} sentence has {_many(words, 'word')}; words are what whitespace separates, counted from {start}"
            )


def _unequal(path: str | Path, lines: int, text: str, pairs: int) -> DataError:
    return DataError(
        f"{path} has {_many(lines, 'line')} but {text} has {_many(pairs, 'sentence pair')}; line i must hold the links "
        "of pair i, and be empty where there are none"
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
