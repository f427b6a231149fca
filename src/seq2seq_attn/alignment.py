"""Links between words: from attention weights over tokens, and as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Links = list[tuple[int, int]]
"""Pairs of (source word, target word), counted from 0, sorted."""

LinkFormat = Literal["pharaoh", "naacl"]
"""How links are written in a file: ``0-0 1-2``, a line per sentence; or ``1 1 1``, a line per link."""

_PHARAOH = re.compile(r"([0-9]{1,9})([-?p])([0-9]{1,9})")
_NAACL = re.compile(
    r"(?P<sentence>[0-9]{1,9})\s+(?P<source>[0-9]{1,9})\s+(?P<target>[0-9]{1,9})"
    r"(?:\s+(?P<kind>[SP]))?(?:\s+[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)?"  # the confidence is not used
)


class ReferenceLinks(NamedTuple):
    """What a person (or another program) says of one sentence pair (Och and Ney 2003)."""

    sure: Links
    possible: Links  # the sure ones, too


class NumberedLink(NamedTuple):
    """One link as the NAACL format has it, with the sentence it belongs to; all counted from 1."""

    sentence: int
    source: int  # 0: the target word has no source word
    target: int  # 0: the source word has no target word
    sure: bool


def word_numbers(starts: Sequence[bool]) -> list[int]:
    """Return for each token the number of the word it belongs to; the first token always starts one."""
    numbers = []
    word = -1
    for position, start in enumerate(starts):
        word += start or position == 0
        numbers.append(word)
    return numbers


def align_words(weights: NDArray[np.floating], source_starts: Sequence[bool], target_starts: Sequence[bool]) -> Links:
    """Link every target word to the source word that got most of its weight; see :func:`link_words`.

    Args:
        weights: shape (target tokens, source tokens), or with more columns or rows, which are
            taken for end-of-sentence symbols.
        source_starts: whether each source token starts a word.
        target_starts: whether each target token starts a word.
    """
    return link_words(weights, word_numbers(source_starts), word_numbers(target_starts))


def link_words(weights: NDArray[np.floating], sources: Sequence[int], targets: Sequence[int]) -> Links:
    """Link every target word to the source word that got most of its weight.

    A word's weight is the sum over its source tokens and the mean over its target tokens, so rows
    still sum to 1. Columns behind the source tokens (the end-of-sentence symbol) are one more
    candidate: a target word that looks there is left without a link.

    Args:
        weights: shape (target tokens, source tokens), or with more columns or rows, which are
            taken for end-of-sentence symbols.
        sources: the word of each source token, never falling.
        targets: the word of each target token, never falling.
    """
    if not sources or not targets or not weights.any():
        return []
    rows = _between_words(weights, sources, targets)
    best = zip(rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True)
    return sorted((source, target) for target, (source, most) in enumerate(best) if source <= sources[-1] and most > 0)


def link_source_words(weights: NDArray[np.floating], sources: Sequence[int], targets: Sequence[int]) -> Links:
    """Link every source word to the target word that gave it most weight: the other way through the same weights.

    So may a source word that no target word looks at most still have its link, and a target word
    several, which :func:`link_words` cannot give it. Jalili Sabet et al. (2020), "SimAlign",
    https://aclanthology.org/2020.findings-emnlp.147, read a matrix of similarities in both
    directions; here it is one of weights. A source word that got none has no link.

    Args:
        weights: see :func:`link_words`.
        sources: the word of each source token, never falling.
        targets: the word of each target token, never falling.
    """
    if not sources or not targets or not weights.any():
        return []
    columns = _between_words(weights, sources, targets)[:, :-1]
    best = zip(columns.argmax(axis=0).tolist(), columns.max(axis=0).tolist(), strict=True)
    return [(source, target) for source, (target, most) in enumerate(best) if most > 0]


def flip(links: Iterable[tuple[int, int]]) -> Links:
    """Exchange source and target."""
    return sorted((target, source) for source, target in links)


def pharaoh(links: Links | ReferenceLinks, *, first: int = 0) -> str:
    """Write links as ``0-0 1-2``; those of a reference that are possible but not sure as ``1?2``.

    Args:
        links: of one sentence pair.
        first: the number of the first word, 0 or 1.
    """
    reference = links if isinstance(links, ReferenceLinks) else ReferenceLinks(links, links)
    sure = set(reference.sure)
    return " ".join(
        f"{source + first}{'-' if (source, target) in sure else '?'}{target + first}"
        for source, target in sorted(sure | set(reference.possible))
    )


def parse_pharaoh(line: str, *, first: int = 0) -> ReferenceLinks:
    """Read links as ``0-0 1-2``; ``1?2`` or ``1p2`` is possible but not sure.

    Args:
        line: of one sentence pair.
        first: the number of the first word in this text, 0 or 1.

    Raises:
        ValueError: if something is no link; the message is what stands there.
    """
    sure, possible = set(), set()
    for item in line.split():
        match = _PHARAOH.fullmatch(item)
        if match is None:
            raise ValueError(item)
        link = int(match[1]) - first, int(match[3]) - first
        if min(link) < 0:
            raise ValueError(item)
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return ReferenceLinks(sorted(sure), sorted(possible))


def naacl(links: Links | ReferenceLinks, *, sentence: int) -> str:
    """Write links as lines ``sentence source target``, all counted from 1; nothing for a sentence without links.

    The format of the shared task at HLT-NAACL 2003 (Mihalcea and Pedersen 2003, "An Evaluation Exercise
    for Word Alignment", https://aclanthology.org/W03-0301). The links of a reference end in S (sure) or P.

    Args:
        links: of one sentence pair.
        sentence: its number, from 1.
    """
    if not isinstance(links, ReferenceLinks):
        return "".join(f"{sentence} {source + 1} {target + 1}\n" for source, target in links)
    sure = set(links.sure)
    return "".join(
        f"{sentence} {source + 1} {target + 1} {'S' if (source, target) in sure else 'P'}\n"
        for source, target in sorted(sure | set(links.possible))
    )


def parse_naacl(line: str) -> NumberedLink:
    """Read a link as ``sentence source target [S|P] [confidence]``; without a letter it is sure.

    Raises:
        ValueError: if this is no such line.
    """
    match = _NAACL.fullmatch(line.strip())
    if match is None:
        raise ValueError(line)
    return NumberedLink(int(match["sentence"]), int(match["source"]), int(match["target"]), match["kind"] != "P")


def _between_words(
    weights: NDArray[np.floating], sources: Sequence[int], targets: Sequence[int]
) -> NDArray[np.float64]:
    """Return how much each target word looks at each source word and, in a last column, behind them all."""
    columns = np.zeros((len(targets), sources[-1] + 2))
    for token in range(weights.shape[1]):
        column = sources[token] if token < len(sources) else -1
        columns[:, column] += weights[: len(targets), token]
    rows = np.zeros((targets[-1] + 1, columns.shape[1]))
    tokens = np.bincount(targets)
    for token, row in enumerate(targets):
        rows[row] += columns[token] / tokens[row]
    return rows
