"""Validation and test sets for a corpus whose publisher made none, without leaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_HELD_OUT = 2000  # pairs each for validation and test


def split_pairs(pairs: Iterable[tuple[str, str]], *, held_out: int = _HELD_OUT) -> dict[str, list[tuple[str, str]]]:
    """Split pairs into ``train``, ``val`` and ``test`` so that no sentence is in two of them.

    Pairs that share a sentence of either side, directly or through others, stay
    together: Tatoeba holds many translations of one sentence, and a test on a
    sentence seen in training tests memory. Which group goes where depends on its
    text alone, so that a corpus that grew keeps most of its split. Exact
    repetitions and pairs with an empty side are dropped; the order is kept.

    Args:
        pairs: source and target sentences.
        held_out: pairs each for ``val`` and ``test``, at most a tenth of all; groups
            are not cut, so one of them may hold a few more.
    """
    kept = [pair for pair in dict.fromkeys(pairs) if all(pair)]
    wanted = min(held_out, len(kept) // 10)
    groups = _connected(kept)
    part_of: dict[int, str] = {}
    filled = {"test": 0, "val": 0}
    for members in sorted(groups, key=lambda group: min(_order(kept[index]) for index in group)):
        part = next((name for name, count in filled.items() if count < wanted), "train")
        # one sentence with hundreds of translations says little about the rest
        if part != "train" and len(members) <= max(1, wanted // 100):
            filled[part] += len(members)
            part_of.update(dict.fromkeys(members, part))
    return {
        name: [pair for index, pair in enumerate(kept) if part_of.get(index, "train") == name]
        for name in ("train", "val", "test")
    }


def _order(pair: tuple[str, str]) -> str:
    return hashlib.sha256("\t".join(pair).encode()).hexdigest()


def _connected(pairs: list[tuple[str, str]]) -> list[list[int]]:
    """Group the numbers of pairs that share a sentence, directly or through others."""
    by_sentence: dict[tuple[int, str], list[int]] = {}
    for index, pair in enumerate(pairs):
        for side, sentence in enumerate(pair):
            by_sentence.setdefault((side, sentence), []).append(index)
    groups = []
    seen: set[int] = set()
    for first in range(len(pairs)):
        if first in seen:
            continue
        seen.add(first)
        group = [first]
        for index in group:  # grows while it is walked
            for key in enumerate(pairs[index]):
                neighbors = by_sentence.pop(key, [])
                group.extend(other for other in neighbors if other not in seen)
                seen.update(neighbors)
        groups.append(group)
    return groups
