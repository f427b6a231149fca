"""What is said of a subject: a verb with its objects and adjuncts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .alignment import Phrase, Target, Word, phrase
from .chance import Chance
from .lexicon_nouns import Noun, nouns_with
from .lexicon_verbs import MOVING, NO_FUTURE, NO_GERUND, VERBS, Verb
from .noun_phrases import (
    OBJECT_PRONOUNS,
    NounPhrase,
    NounPhrases,
    coordinated,
    form_index,
    pronoun_phrase,
)
from .verbs import Manner, VerbGroup, verb_group

_PLACED = {
    "top": (("on", "em", "0-0"), ("under", "debaixo de", "0-0 0-1")),
    "open": (("on", "em", "0-0"), ("near", "perto de", "0-0 0-1")),
    "at": (("at", "em", "0-0"), ("behind", "atrás de", "0-0 0-1"), ("near", "perto de", "0-0 0-1")),
    "building": (
        ("in", "em", "0-0"),
        ("near", "perto de", "0-0 0-1"),
        ("behind", "atrás de", "0-0 0-1"),
        ("next to", "ao lado de", "0-0 0-1 1-2"),
        ("in front of", "na frente de", "0-0 1-1 2-2"),
    ),
    "place": (("in", "em", "0-0"), ("near", "perto de", "0-0 0-1")),
}
_WHEN = {
    "present": (
        ("every day", "todos os dias", "0-0 0-1 1-2"),
        ("every morning", "todas as manhãs", "0-0 0-1 1-2"),
        ("at night", "à noite", "0-0 1-1"),
        ("in the morning", "de manhã", "0-0 1-0 2-1"),
    ),
    "past": (
        ("yesterday", "ontem", "0-0"),
        ("last week", "na semana passada", "0-0 1-1 0-2"),
        ("last year", "no ano passado", "0-0 1-1 0-2"),
    ),
    "future": (
        ("tomorrow", "amanhã", "0-0"),
        ("next week", "na próxima semana", "0-0 0-1 1-2"),
        ("next year", "no próximo ano", "0-0 0-1 1-2"),
    ),
    "progressive": (("now", "agora", "0-0"), ("today", "hoje", "0-0")),
}
_SIMPLE = ("present", "past")
_ALONE = ("sozinho", "sozinha", "sozinhos", "sozinhas")


@dataclass(frozen=True)
class Predicate:
    """A verb group and what follows the verb (and its preposition) in both languages."""

    group: VerbGroup
    complement: Phrase
    stative: bool = False

    @property
    def said(self) -> Phrase:
        """The predicate as a statement says it."""
        group = self.group
        en = group.auxiliary + group.rest + group.particle + self.complement.en
        return Phrase(en, group.pt + group.preposition + self.complement.pt)


def when(chance: Chance, tense: str) -> Phrase:
    """Return a time that goes with the tense, or nothing."""
    return phrase(*chance.pick(_WHEN[tense])) if tense in _WHEN else Phrase()


class Predicates(ABC):
    """Makes predicates, and noun phrases with what may stand behind the noun."""

    def __init__(self, chance: Chance, nouns: NounPhrases) -> None:
        self.chance = chance
        self.nouns = nouns

    @abstractmethod
    def relative(self, head: NounPhrase, depth: int) -> Phrase:
        """Make a relative clause about a noun."""

    def noun_phrase(self, tags: tuple[str, ...], depth: int, *, bare: bool = False, listed: bool = True) -> NounPhrase:
        """Make a noun phrase: plain, owned, superlative, with a place or a relative clause, or a list.

        Args:
            tags: What the noun may be.
            depth: How much may be added.
            bare: Whether the determiner may be left out.
            listed: Whether a list will do.
        """
        chance = self.chance
        noun = chance.pick(nouns_with(*tags))
        if listed and depth >= 2 and chance.happens(0.10 * (depth - 1)):
            pool = nouns_with(next(tag for tag in tags if tag in noun.tags))
            if len(pool) >= 4:
                return self._list(pool, depth)
        if "drink" not in noun.tags:
            if chance.happens(0.06) and "ownerless" not in noun.tags:
                return self._owned(noun, depth)
            if chance.happens(0.04):
                best = self.nouns.superlative(noun)
                if best is not None:
                    return best
        made = self.nouns.build(noun, depth, bare=bare)
        if depth >= 1 and chance.happens(0.09 * depth) and "drink" not in noun.tags:
            return made.followed_by(self.relative(made, depth - 1))
        if depth >= 1 and chance.happens(0.06 * depth):
            return made.followed_by(self._modifier(noun))
        return made

    def _list(self, pool: tuple[Noun, ...], depth: int) -> NounPhrase:
        length = 2 if self.chance.happens(0.6) else 3 if self.chance.happens(0.6) else 4
        chosen: list[Noun] = []
        while len(chosen) < length:
            noun = self.chance.pick(pool)
            if noun not in chosen:
                chosen.append(noun)
        return coordinated([self.nouns.build(noun, max(0, depth - 2)) for noun in chosen])

    def _owned(self, noun: Noun, depth: int) -> NounPhrase:
        owner = self.nouns.build(self._other_than(noun, ("person",)), 0, plural=False, determiner="definite")
        if self.chance.happens(0.5):
            return self.nouns.owned(noun, owner, depth)
        made = self.nouns.build(noun, depth, determiner="the")
        return made.followed_by(phrase("of", "de") + owner.phrase)

    def _other_than(self, noun: Noun, tags: tuple[str, ...]) -> Noun:
        return self.chance.pick([other for other in nouns_with(*tags) if other != noun])

    def _modifier(self, noun: Noun) -> Phrase:
        """Return "with the red hat" or "near the river"."""
        if "person" in noun.tags:
            worn = self.nouns.build(self.chance.pick(nouns_with("worn")), 1, determiner="any", plural=False)
            return phrase("with", "com") + worn.phrase
        return self.place(0)

    def place(self, depth: int, *, on_furniture: bool = False) -> Phrase:
        """Return "in the garden", "next to the old church", "under the table"."""
        noun = self.chance.pick(nouns_with(*(("place", "top") if on_furniture else ("place",))))
        kind = next(tag for tag in _PLACED if tag in noun.tags)
        where = phrase(*self.chance.pick(_PLACED[kind]))
        return where + self.nouns.build(noun, depth, plural=None if depth else False).phrase

    def verb_for(self, subject: NounPhrase, tense: str, frames: tuple[str, ...]) -> Verb | None:
        """Pick a verb that the subject can do in the tense."""
        tags = subject.noun.tags if subject.noun else frozenset({"person"})
        fitting = [
            verb
            for verb in VERBS
            if verb.frame in frames
            and any(tag in tags for tag in verb.subjects)
            and not (tense == "future" and verb.infinitive in NO_FUTURE)
            and not ("progressive" in tense and verb.infinitive in NO_GERUND)
            and not (tense in ("can", "must", "want", "future") and verb.stative)
        ]
        return self.chance.pick(fitting) if fitting else None

    def predicate(
        self, subject: NounPhrase, manner: Manner, depth: int, *, pronouns: bool = True, adjuncts: bool = True
    ) -> Predicate | None:
        """Make a verb with all that follows it, or None if the subject can do nothing in this tense."""
        verb = self.verb_for(subject, manner.tense, ("none", "object", "place", "giving"))
        if verb is None:
            return None
        clitic, complement = Phrase(), Phrase()
        if verb.frame == "giving":
            clitic, complement = self._giving(subject, verb, manner, depth)
        elif verb.frame != "none":
            clitic, complement = self._object(subject, verb, manner, depth, pronouns)
        group = verb_group(verb, subject, manner, clitic)
        if adjuncts:
            complement = complement + self.adjuncts(subject, verb, manner, depth)
        return Predicate(group, complement, verb.stative)

    def _object(
        self, subject: NounPhrase, verb: Verb, manner: Manner, depth: int, pronouns: bool
    ) -> tuple[Phrase, Phrase]:
        """Return the clitic (or nothing) and the object."""
        personal = "person" in verb.objects and verb.preposition != "a" and subject.slot in (1, 3) and pronouns
        if personal and self.chance.happens(0.25):
            english, direct, _, stressed = self.chance.pick(OBJECT_PRONOUNS)
            if verb.preposition:
                return Phrase(), pronoun_phrase(english, stressed)
            if manner.tense in _SIMPLE:
                word = Word(english)
                return Phrase((), (Target(direct, (word,)),)), Phrase((word,))
        bare = verb.infinitive in ("beber", "comer", "comprar", "gostar")
        # "de", "em" and "a" would have to be said again before each item of a list.
        listed = verb.preposition in ("", "com", "para")
        return Phrase(), self.noun_phrase(verb.objects, depth, bare=bare, listed=listed).phrase

    def _giving(self, subject: NounPhrase, verb: Verb, manner: Manner, depth: int) -> tuple[Phrase, Phrase]:
        """Return the clitic and what is given to whom, in either English order."""
        given = self.noun_phrase(verb.objects, max(0, depth - 1)).phrase
        if manner.tense in _SIMPLE and subject.slot in (1, 3) and self.chance.happens(0.25):
            english, _, indirect, _ = self.chance.pick(OBJECT_PRONOUNS)
            word = Word(english)
            return Phrase((), (Target(indirect, (word,)),)), Phrase((word,)) + given
        receiver = self.nouns.build(self.chance.pick(nouns_with("person")), 0).phrase
        if self.chance.happens(0.5):
            return Phrase(), given + phrase("to", "a") + receiver
        # "gives the girl the book": nothing says "to", so the preposition belongs to who receives.
        preposition = Target("a", receiver.en[:1])
        return Phrase(), Phrase(receiver.en + given.en, (*given.pt, preposition, *receiver.pt))

    def adjuncts(self, subject: NounPhrase, verb: Verb, manner: Manner, depth: int) -> Phrase:
        """Return where, how, with whom and when: mostly nothing."""
        chance, parts = self.chance, Phrase()
        if verb.frame == "none":
            if verb.infinitive in MOVING and chance.happens(0.2):
                parts = phrase(*chance.pick((("slowly", "devagar"), ("quickly", "rapidamente"))))
            elif chance.happens(0.06):
                parts = phrase("here", "aqui")
            elif chance.happens(0.12):
                parts = phrase("alone", _ALONE[form_index(subject.gender, subject.plural)])
            elif chance.happens(0.15):
                english, _, _, stressed = chance.pick(OBJECT_PRONOUNS)
                parts = phrase("with", "com")
                if subject.slot in (1, 3) and chance.happens(0.6):
                    parts = parts + pronoun_phrase(english, stressed)
                else:
                    parts = parts + self.nouns.build(chance.pick(nouns_with("person")), 0).phrase
        if verb.frame in ("none", "object") and not verb.stative and chance.happens(0.10 + 0.04 * depth):
            parts = parts + self.place(0)
        if not verb.stative and not manner.adverb.en and chance.happens(0.09):
            parts = parts + when(chance, manner.tense)
        return parts
