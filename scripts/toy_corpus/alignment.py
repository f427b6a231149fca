"""Words, the links between them, and the last steps from phrases to a sentence pair.

A Portuguese word carries the English words that it translates. Phrases are built by concatenation, so nobody counts
positions: they are read off at the very end, after prepositions and articles have merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Word:
    """One English word. Two words with the same text are different words."""

    text: str


@dataclass(frozen=True)
class Target:
    """One Portuguese word, the English words it translates, and whether a preposition before it may merge with it."""

    text: str
    links: tuple[Word, ...]
    merges: bool = False


@dataclass(frozen=True)
class Phrase:
    """A piece of a sentence in both languages."""

    en: tuple[Word, ...] = ()
    pt: tuple[Target, ...] = ()

    def __add__(self, other: Phrase) -> Phrase:
        return Phrase(self.en + other.en, self.pt + other.pt)


NOTHING = Phrase()


@dataclass(frozen=True)
class AlignedPair:
    """A finished sentence pair: tokens of both sides and the links between them, sorted."""

    en: tuple[str, ...]
    pt: tuple[str, ...]
    links: tuple[tuple[int, int], ...]


def phrase(english: str, portuguese: str, links: str = "") -> Phrase:
    """Make a fixed phrase.

    Args:
        english: English words, separated by spaces.
        portuguese: Portuguese words, separated by spaces.
        links: Pharaoh pairs between the two; empty means word by word.
    """
    en = tuple(Word(text) for text in english.split())
    texts = portuguese.split()
    pairs = links.split() if links else [f"{i}-{i}" for i in range(len(texts))]
    sources: list[list[Word]] = [[] for _ in texts]
    for pair in pairs:
        source, target = pair.split("-")
        sources[int(target)].append(en[int(source)])
    return Phrase(en, tuple(Target(text, tuple(words)) for text, words in zip(texts, sources, strict=True)))


def join(parts: Iterable[Phrase]) -> Phrase:
    """Concatenate phrases in both languages."""
    whole = Phrase()
    for part in parts:
        whole = whole + part
    return whole


def _inflected(preposition: str, stem: str, word: str) -> dict[tuple[str, str], str]:
    """The four gender and number forms of one merger: `_inflected("de", "d", "o")` gives do, da, dos, das."""
    root = word[:-1]
    return {(preposition, root + ending): stem + root + ending for ending in ("o", "a", "os", "as")}


def _with_e(preposition: str, stem: str, root: str) -> dict[tuple[str, str], str]:
    """The same for words in -e/-a: este, esta, estes, estas."""
    return {(preposition, root + ending): stem + root + ending for ending in ("e", "a", "es", "as")}


CONTRACTIONS: dict[tuple[str, str], str] = {
    **_inflected("de", "d", "o"),
    **_inflected("em", "n", "o"),
    **_inflected("por", "pel", "o"),
    **_with_e("de", "d", "est"),
    **_with_e("em", "n", "est"),
    **_with_e("de", "d", "aquel"),
    **_with_e("em", "n", "aquel"),
    **_with_e("de", "d", "el"),
    **_with_e("em", "n", "el"),
    ("a", "o"): "ao",
    ("a", "os"): "aos",
    ("a", "a"): "à",
    ("a", "as"): "às",
    ("a", "aquele"): "àquele",
    ("a", "aquela"): "àquela",
    ("a", "aqueles"): "àqueles",
    ("a", "aquelas"): "àquelas",
    ("em", "um"): "num",
    ("em", "uma"): "numa",
    ("com", "mim"): "comigo",
    ("com", "nós"): "conosco",
}


def contract(words: Iterable[Target]) -> list[Target]:
    """Merge each preposition with the article, demonstrative or pronoun after it, uniting their links."""
    merged: list[Target] = []
    for word in words:
        if word.merges and merged:
            joined = CONTRACTIONS.get((merged[-1].text, word.text))
            if joined is not None:
                merged[-1] = Target(joined, merged[-1].links + word.links)
                continue
        merged.append(word)
    return merged


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def finish(sentence: Phrase) -> AlignedPair:
    """Turn a phrase into a sentence pair: a/an, contractions, capitals, positions."""
    english = [word.text for word in sentence.en]
    for i, text in enumerate(english[:-1]):
        if text == "a" and english[i + 1][0] in "aeiouAEIOU":
            english[i] = "an"
    targets = contract(sentence.pt)
    portuguese = [target.text for target in targets]
    position = {id(word): i for i, word in enumerate(sentence.en)}
    links = sorted({(position[id(word)], j) for j, target in enumerate(targets) for word in target.links})
    english[0] = _capitalized(english[0])
    portuguese[0] = _capitalized(portuguese[0])
    return AlignedPair(tuple(english), tuple(portuguese), tuple(links))
