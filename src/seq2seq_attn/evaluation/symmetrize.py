"""Two directions of word alignment into one.

A model links each word of its target to at most one word of its source. Two such sets of links, one for
each direction, are put together by heuristics of statistical machine translation: Och and Ney (2003),
"A Systematic Comparison of Various Statistical Alignment Models",
https://aclanthology.org/J03-1002; Koehn, Och and Marcu (2003), "Statistical Phrase-Based Translation",
https://aclanthology.org/N03-1017; Koehn et al. (2005), "Edinburgh System Description for the
2005 IWSLT Speech Translation Evaluation", https://aclanthology.org/2005.iwslt-1.8.
"""

from __future__ import annotations

from collections.abc import Iterable

from seq2seq_attn.alignment import Links
from seq2seq_attn.errors import UserError, did_you_mean

METHODS = {
    "intersection": "links that both directions have",
    "union": "links that one direction has, or both",
    "grow-diag": "the intersection, and what of the union touches it (diagonally, too) and links a word without link",
    "grow-diag-final": "grow-diag, and what else of either direction links a word without link",
    "grow-diag-final-and": "grow-diag, and what else of either direction links two words without link",
}
"""What :func:`symmetrize` can do, by name."""

# (target, source) steps in the order of the published pseudo-code
_NEIGHBORS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def check_method(method: str) -> None:
    """Refuse a method that does not exist.

    Raises:
        UserError: naming those that do.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise UserError(
            f"no way to symmetrize is called {method!r}{did_you_mean(method, METHODS)} (there are: {known})"
        )


def symmetrize(forward: Links, backward: Links, method: str) -> Links:
    """Put the links of two directions together.

    Points are visited as in the pseudo-code of Koehn et al. (2005): target words in the outer loop, source
    words in the inner one, and a link that was added is seen from then on. ``final`` goes through
    ``forward`` first, then through ``backward``.

    Args:
        forward: of one direction, such as the source word of each target word.
        backward: of the other, with the source word first, too.
        method: a name of :data:`METHODS`.

    Raises:
        UserError: if there is no such method.
    """
    check_method(method)
    one, other = set(forward), set(backward)
    if method == "union":
        return sorted(one | other)
    growing = _Growing(one & other)
    if method != "intersection":
        growing.grow(one | other)
    if method.startswith("grow-diag-final"):
        for direction in (one, other):
            growing.finish(direction, both=method.endswith("-and"))
    return sorted(growing.links)


class _Growing:
    """A set of links that knows which words have one."""

    def __init__(self, links: Iterable[tuple[int, int]]) -> None:
        self.links: set[tuple[int, int]] = set()
        self._sources: set[int] = set()
        self._targets: set[int] = set()
        for link in links:
            self._add(link)

    def grow(self, union: set[tuple[int, int]]) -> None:
        """Add neighbors out of ``union`` of what is there, as long as they link a word without link."""
        order = _in_order(union)
        added = True
        while added:
            added = False
            for source, target in order:
                if (source, target) not in self.links:
                    continue
                for down, right in _NEIGHBORS:
                    link = source + right, target + down
                    if link in union and (self._source_is_free(link) or self._target_is_free(link)):
                        self._add(link)
                        added = True

    def finish(self, direction: set[tuple[int, int]], *, both: bool) -> None:
        """Add what of ``direction`` links a word without link, or only what links two."""
        for link in _in_order(direction):
            free = self._source_is_free(link), self._target_is_free(link)
            if all(free) if both else any(free):
                self._add(link)

    def _add(self, link: tuple[int, int]) -> None:
        self.links.add(link)
        self._sources.add(link[0])
        self._targets.add(link[1])

    def _source_is_free(self, link: tuple[int, int]) -> bool:
        return link[0] not in self._sources

    def _target_is_free(self, link: tuple[int, int]) -> bool:
        return link[1] not in self._targets


def _in_order(links: set[tuple[int, int]]) -> Links:
    return sorted(links, key=lambda link: (link[1], link[0]))
