"""Relative clauses: the subject or the object of the clause is the noun before it."""

from __future__ import annotations

from .alignment import Phrase, Target, Word, phrase
from .lexicon_adjectives import AFTER
from .lexicon_nouns import nouns_with
from .lexicon_verbs import BELONG, VERBS, Verb
from .noun_phrases import UNGRADED, NounPhrase, contradicts, form_index
from .predicates import Predicate, Predicates
from .verbs import Manner, be_group, participle, passive_group, verb_group

_TENSES = (("present", 5.0), ("past", 5.0), ("progressive", 2.0), ("past progressive", 1.0), ("future", 1.0))
_WHICH = (("o", "qual"), ("a", "qual"), ("os", "quais"), ("as", "quais"))


class RelativeClauses(Predicates):
    """Makes relative clauses, and the states and passives that things can be in."""

    def relative(self, head: NounPhrase, depth: int) -> Phrase:
        """Make a relative clause about the noun; depth is what its own nouns may still take."""
        kind = self.chance.weighted((("subject", 5.0), ("object", 4.0), ("participle", 1.5)))
        if kind == "participle":
            made = self._participle(head)
            if made is not None:
                return made
        if kind == "object":
            made = self._object_relative(head, depth)
            if made is not None:
                return made
        return self._subject_relative(head, depth)

    def _relative_word(self, head: NounPhrase, *, subject: bool) -> Word:
        if head.noun is not None and "person" in head.noun.tags:
            return Word("who" if subject else self.chance.pick(("that", "whom")))
        return Word(self.chance.pick(("that", "which")))

    def _subject_relative(self, head: NounPhrase, depth: int) -> Phrase:
        word = self._relative_word(head, subject=True)
        manner = Manner(self.chance.weighted(_TENSES), negative=self.chance.happens(0.06))
        said = None
        if head.noun is not None and head.noun.tags & {"person", "animal"} and self.chance.happens(0.88):
            made = self.predicate(head, manner, depth, adjuncts=depth > 0)
            said = made.said if made is not None else None
        if said is None:
            said = self.state(head, Manner(self.chance.pick(("present", "past")))).said
        return Phrase((word,), (Target("que", (word,)),)) + said

    def _object_relative(self, head: NounPhrase, depth: int) -> Phrase | None:
        """Make "that the girl bought", "that she likes" (de que ela gosta), or None for a noun no verb takes."""
        assert head.noun is not None
        tags = head.noun.tags
        subject = self.actor(depth)
        doer = subject.noun.tags if subject.noun is not None else frozenset({"person"})
        fitting = [
            verb
            for verb in VERBS
            if verb.frame == "object"
            and any(tag in tags for tag in verb.objects)
            and any(tag in doer for tag in verb.subjects)
        ]
        if not fitting or subject.noun == head.noun:
            return None
        verb = self.chance.pick(fitting)
        group = verb_group(verb, subject, Manner("past" if self.chance.happens(0.5) else "present"))
        word = self._relative_word(head, subject=False)
        en = (word, *subject.phrase.en, *group.rest, *group.particle)
        pronoun = self._fronted(verb, head, word)
        return Phrase(en, (*group.preposition, *pronoun, *subject.phrase.pt, *group.pt))

    def _fronted(self, verb: Verb, head: NounPhrase, word: Word) -> tuple[Target, ...]:
        """Return the Portuguese relative pronoun: que, quem after a preposition, o qual after some."""
        if not verb.preposition:
            return (Target("que", (word,)),)
        assert head.noun is not None
        if "person" in head.noun.tags:
            return (Target("quem", (word,)),)
        if verb.preposition in ("de", "em"):
            return (Target("que", (word,)),)
        article, which = _WHICH[form_index(head.gender, head.plural)]
        return Target(article, (word,), merges=True), Target(which, (word,))

    def _participle(self, head: NounPhrase) -> Phrase | None:
        """Make "written by the girl": escrita pela menina."""
        assert head.noun is not None
        tags = head.noun.tags
        fitting = [verb for verb in VERBS if verb.passive and any(tag in tags for tag in verb.objects)]
        if not fitting:
            return None
        verb = self.chance.pick(fitting)
        done = phrase(verb.participle, participle(verb.infinitive, head.gender, head.plural))
        return done + self.agent(verb)

    def agent(self, verb: Verb) -> Phrase:
        """Return "by the king"."""
        noun = self.chance.pick(nouns_with(*verb.subjects))
        return phrase("by", "por") + self.nouns.build(noun, 0).phrase

    def actor(self, depth: int) -> NounPhrase:
        """Return who does something: a pronoun, a person or an animal."""
        chance = self.chance
        if chance.happens(0.3):
            return self.nouns.subject_pronoun()
        tags = ("person",) if chance.happens(0.8) else ("animal",)
        return self.noun_phrase(tags, depth) if depth else self.nouns.build(chance.pick(nouns_with(*tags)), 0)

    def state(self, subject: NounPhrase, manner: Manner) -> Predicate:
        """Make "is tired", "was on the table": ser, or estar for states that pass and for places."""
        tags = subject.noun.tags if subject.noun is not None else frozenset({"person"})
        if tags & {"thing", "vehicle", "building"} and self.chance.happens(0.15):
            owner = self.nouns.build(self.chance.pick(nouns_with("person")), 1)
            return Predicate(verb_group(BELONG, subject, manner), owner.phrase)
        movable = bool(tags & {"person", "animal", "thing", "furniture", "vehicle"})
        said = {word.text for word in subject.phrase.en}
        fitting = [a for a in AFTER if a.tags & tags and not contradicts(a, said)]
        if not fitting or (movable and self.chance.happens(0.3)):
            return Predicate(be_group(subject, manner, "estar"), self.place(1, on_furniture="thing" in tags))
        adjective = self.chance.pick(fitting)
        complement = phrase(adjective.en, adjective.form(subject.gender, subject.plural))
        if adjective.en not in UNGRADED and self.chance.happens(0.15):
            complement = phrase("very", "muito") + complement
        return Predicate(be_group(subject, manner, adjective.verb), complement)

    def passive(self, manner: Manner, depth: int) -> tuple[NounPhrase, Predicate]:
        """Make a subject and "was built by the king"."""
        verb = self.chance.pick([verb for verb in VERBS if verb.passive])
        subject = self.noun_phrase(verb.objects, depth)
        return subject, Predicate(passive_group(verb, subject, manner), self.agent(verb))
