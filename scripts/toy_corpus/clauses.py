"""Statements, without their punctuation."""

from __future__ import annotations

from .alignment import Phrase, Target, Word, join, phrase
from .lexicon_adjectives import COMPARED
from .lexicon_nouns import nouns_with
from .lexicon_verbs import KNOW, SAY, THINK
from .noun_phrases import NounPhrase, coordinated
from .predicates import Predicate, when
from .relative_clauses import RelativeClauses
from .verbs import Manner, be_group, verb_group

TENSES: tuple[tuple[str, float], ...] = (
    ("present", 30.0),
    ("past", 32.0),
    ("future", 10.0),
    ("progressive", 9.0),
    ("past progressive", 5.0),
    ("can", 5.0),
    ("must", 4.0),
    ("want", 5.0),
)
Tenses = tuple[tuple[str, float], ...]
SIMPLE = ("present", "past")
_OFTEN = (("always", "sempre"), ("never", "nunca"), ("often", "frequentemente"))


class Clauses(RelativeClauses):
    """Makes statements."""

    def subject(self, depth: int) -> NounPhrase:
        """Return the subject of an action: a pronoun, one person or animal, or a list."""
        chance = self.chance
        if chance.happens(0.4):
            return self.nouns.subject_pronoun()
        if chance.happens(0.06 + 0.04 * depth):
            first, second = chance.pick(nouns_with("person")), chance.pick(nouns_with("person", "animal"))
            if first != second:
                return coordinated([self.nouns.build(first, 0), self.nouns.build(second, 0)])
        return self.noun_phrase(("person",) if chance.happens(0.8) else ("animal",), depth)

    def statement(self, depth: int, tenses: Tenses = TENSES, *, opening: bool = False) -> Phrase:
        """Make a statement in one of the tenses; where it opens the sentence, a time may come first."""
        kinds = [("action", 56.0), ("state", 12.0), ("passive", 9.0), ("there", 5.0), ("compared", 4.0)]
        if depth >= 1:
            kinds += [("reported", 6.0), ("two", 7.0)]
        kind = self.chance.weighted(kinds)
        tense = self.chance.weighted(tenses)
        simple = tense if tense in SIMPLE else self.chance.pick([t for t, _ in tenses if t in SIMPLE])
        if kind == "state":
            subject = self.described(depth)
            return subject.phrase + self.state(subject, Manner(simple, self.chance.happens(0.15))).said
        if kind == "passive" and tense in ("past", "future"):
            manner = Manner(tense, self.chance.happens(0.08))
            subject, predicate = self.passive(manner, depth)
            end = when(self.chance, tense) if self.chance.happens(0.15) else Phrase()
            return subject.phrase + predicate.said + end
        if kind == "there":
            return self.there(simple, depth, question=False)
        if kind == "compared":
            return self._compared(simple)
        if kind == "reported":
            return self._reported(simple, depth)
        if kind == "two":
            return self._two_actions(simple, depth)
        return self.action(tense, depth, opening=opening)

    def action(self, tense: str, depth: int, *, opening: bool = False) -> Phrase:
        """Make "the girl never looks at the map"; the time may come first."""
        chance = self.chance
        subject = self.subject(depth)
        manner = Manner(tense, negative=chance.happens(0.13))
        if tense == "present" and not manner.negative and chance.happens(0.12):
            manner = Manner(tense, adverb=phrase(*chance.pick(_OFTEN)))
        first = Phrase()
        if opening and tense in ("past", "future") and chance.happens(0.1):
            first = when(chance, tense) + phrase(",", ",")
        made = self.predicate(subject, manner, depth, adjuncts=not first.en)
        while made is None or (first.en and made.stative):
            subject = self.subject(depth)
            made = self.predicate(subject, manner, depth, adjuncts=not first.en)
        return first + subject.phrase + made.said

    def _two_actions(self, tense: str, depth: int) -> Phrase:
        """Make "the boy opens the door and closes the window"."""
        subject = self.subject(depth - 1)
        parts: list[Predicate] = []
        while len(parts) < 2:
            made = self.predicate(subject, Manner(tense), depth - 1, pronouns=False)
            if made is not None and all(made.group.rest[-1].text != old.group.rest[-1].text for old in parts):
                parts.append(made)
        return subject.phrase + parts[0].said + phrase("and", "e") + parts[1].said

    def described(self, depth: int) -> NounPhrase:
        """Return what a state is said of: a person, an animal or a thing."""
        if self.chance.happens(0.5):
            return self.subject(depth)
        return self.noun_phrase(("thing", "furniture", "vehicle", "place", "food", "part"), depth, listed=False)

    def there(self, tense: str, depth: int, *, question: bool) -> Phrase:
        """Make "there are two cats under the table": há, havia."""
        noun = self.chance.pick(nouns_with("person", "animal", "thing", "vehicle"))
        found = self.nouns.build(noun, depth, determiner="indefinite")
        there, be = (
            Word("there"),
            Word(("is", "are")[found.plural] if tense == "present" else ("was", "were")[found.plural]),
        )
        en = (be, there) if question else (there, be)
        exists = Phrase(en, (Target("há" if tense == "present" else "havia", (there, be)),))
        return exists + found.phrase + self.place(0, on_furniture="thing" in noun.tags)

    def _compared(self, tense: str) -> Phrase:
        """Make "my brother is taller than the king": mais alto do que."""
        adjective = self.chance.pick(COMPARED)
        kinds = (
            ("person",) if "person" in adjective.tags and self.chance.happens(0.75) else tuple(sorted(adjective.tags))
        )
        first = self.chance.pick(nouns_with(*kinds))
        alike = [noun for noun in nouns_with(*(tag for tag in kinds if tag in first.tags)) if noun != first]
        subject, other = self.nouns.build(first, 0), self.nouns.build(self.chance.pick(alike), 0)
        word, than = Word(adjective.en), Word("than")
        form = adjective.form(subject.gender, subject.plural)
        pt = (Target("mais", (word,)), Target(form, (word,)), Target("do", (than,)), Target("que", (than,)))
        said = Predicate(be_group(subject, Manner(tense), "ser"), Phrase((word, than), pt)).said
        return subject.phrase + said + other.phrase

    def _reported(self, tense: str, depth: int) -> Phrase:
        """Make "she says that the king is old"; a past "said" reports in the past."""
        past = tense == "past"
        verb = SAY if past else self.chance.pick((SAY, THINK, KNOW))
        subject = (
            self.nouns.subject_pronoun()
            if self.chance.happens(0.5)
            else self.nouns.build(self.chance.pick(nouns_with("person")), 0)
        )
        says = verb_group(verb, subject, Manner(tense))
        told = (("past", 3.0), ("past progressive", 1.0)) if past else TENSES
        inner = self.statement(0, told)
        return join((subject.phrase, Predicate(says, phrase("that", "que")).said, inner))
