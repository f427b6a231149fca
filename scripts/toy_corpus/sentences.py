"""Sentences of a wanted length: one clause or several, joined."""

from __future__ import annotations

from collections.abc import Sequence

from .alignment import AlignedPair, Phrase, finish, join, phrase
from .chance import Chance
from .lexicon_nouns import NOUNS
from .noun_phrases import NounPhrases
from .questions import Questions

# Clauses of one sentence speak of one time, so that "when" and "because" make sense.
_TIMES = (
    (("present", 30.0), ("progressive", 8.0), ("can", 5.0), ("must", 4.0), ("want", 5.0)),
    (("past", 30.0), ("past progressive", 5.0)),
    (("future", 8.0), ("present", 6.0), ("progressive", 2.0), ("must", 2.0), ("want", 2.0)),
)
_JOINTS = (
    ((", and", ", e"), 5.0),
    ((", but", ", mas"), 4.0),
    (("because", "porque"), 3.0),
    (("while", "enquanto"), 2.0),
    (("when", "quando"), 2.0),
)
_THEY = frozenset({"they", "They", "them", "their", "Their"})
_SINGLE = ("but", "because", "while", "when")
_NOUNS = {noun.en: noun for noun in NOUNS}
_PLURALS = {noun.en_plural: noun for noun in NOUNS}


def _misleads(english: Sequence[str]) -> bool:
    """Return whether "they", which is always "eles" here, could be taken for women or for things that are feminine."""
    if _THEY.isdisjoint(english):
        return False
    if any(_PLURALS[word].gender == "f" for word in english if word in _PLURALS):
        return True
    genders = [_NOUNS[word].gender if word in _NOUNS else word for word in english]
    genders = [gender for gender in genders if gender in ("m", "f", "and")]
    return any(genders[i : i + 3] == ["f", "and", "f"] for i in range(len(genders)))


class Sentences:
    """Makes sentence pairs."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed)
        self._grammar = Questions(self.chance, NounPhrases(self.chance))

    def make(self, shortest: int, longest: int) -> AlignedPair:
        """Make a sentence with that many English tokens, punctuation counted."""
        while True:
            pair = finish(self._draft(longest))
            if shortest <= len(pair.en) <= longest and not _misleads(pair.en):
                return pair

    def _draft(self, longest: int) -> Phrase:
        """Make a sentence whose size is about right."""
        chance = self.chance
        if longest < 15:
            if chance.happens(0.2):
                return self._grammar.question(0) + phrase("?", "?")
            return self._grammar.statement(1 if chance.happens(0.4) else 0, opening=True) + phrase(".", ".")
        if longest < 30:
            if chance.happens(0.12):
                return self._long_question()
            clauses = chance.weighted(((1, 2.0), (2, 6.0), (3, 1.0)))
            return self._compound(clauses, 1) + phrase(".", ".")
        clauses = 2 + int(chance.weighted(((0, 1.0), (1, 2.0), (2, 3.0), (3, 2.0))) * longest / 50)
        return self._compound(clauses, chance.pick((1, 1, 2))) + phrase(".", ".")

    def _long_question(self) -> Phrase:
        """Make "did the boy cry because the girl was sad?"."""
        times = self.chance.pick(_TIMES[:2])
        main = self._grammar.yes_or_no(1, tenses=times)
        joint = self.chance.pick((phrase("because", "porque"), phrase("when", "quando")))
        return join((main, joint, self._subordinate(joint, times, 1), phrase("?", "?")))

    def _subordinate(self, joint: Phrase, times: tuple[tuple[str, float], ...], depth: int) -> Phrase:
        """Make the clause after "when", "while" or "because"."""
        past = times[0][0] == "past"
        if joint.en[-1].text == "while":
            return self._grammar.action("past progressive" if past else "progressive", depth)
        if joint.en[-1].text == "when":
            return self._grammar.action("past" if past else "present", depth)
        return self._grammar.statement(depth, times)

    def _compound(self, clauses: int, depth: int) -> Phrase:
        """Join clauses by commas and conjunctions."""
        chance = self.chance
        times = chance.pick(_TIMES)
        parts: list[Phrase] = []
        used: set[str] = set()
        if clauses >= 2 and times is not _TIMES[2] and chance.happens(0.2):
            joint = phrase("when", "quando")
            parts += [joint, self._subordinate(joint, times, depth), phrase(",", ",")]
            used.add("when")
            clauses -= 1
        parts.append(self._grammar.statement(depth, times, opening=not parts))
        for _ in range(clauses - 1):
            fitting = [(pair, weight) for pair, weight in _JOINTS if pair[0].split()[-1] not in used]
            if times is _TIMES[2]:
                fitting = [row for row in fitting if row[0][0] not in ("when", "while")]
            joint = phrase(*chance.weighted(fitting))
            if joint.en[-1].text in _SINGLE:
                used.add(joint.en[-1].text)
            parts += [joint, self._subordinate(joint, times, depth)]
        return join(parts)
