"""Questions: English moves its auxiliary or adds "do"; Portuguese mostly keeps the order of a statement."""

from __future__ import annotations

from .alignment import Phrase, phrase
from .clauses import TENSES, Clauses
from .lexicon_nouns import nouns_with
from .lexicon_verbs import VERBS, Verb
from .noun_phrases import NounPhrase
from .verbs import Manner, VerbGroup, be_group, verb_group

_INANIMATE = frozenset({"thing", "food", "drink", "vehicle", "watched", "heard", "written", "shut"})
_KINDS = (
    ("yes", 40.0),
    ("be", 14.0),
    ("who", 14.0),
    ("object", 20.0),
    ("many", 8.0),
    ("adverb", 14.0),
    ("place", 7.0),
    ("there", 4.0),
)


def _asked(subject: NounPhrase, group: VerbGroup, complement: Phrase) -> Phrase:
    """Put the English auxiliary before the subject; Portuguese keeps its order."""
    en = group.auxiliary + subject.phrase.en + group.rest + group.particle + complement.en
    return Phrase(en, subject.phrase.pt + group.pt + group.preposition + complement.pt)


class Questions(Clauses):
    """Makes questions."""

    def question(self, depth: int) -> Phrase:
        """Make a question of any kind."""
        kind = self.chance.weighted(_KINDS)
        if kind == "be":
            subject = self.described(0)
            tense = self.chance.pick(("present", "past"))
            state = self.state(subject, Manner(tense, question=True))
            return _asked(subject, state.group, state.complement)
        if kind == "who":
            return self._who(depth)
        if kind in ("object", "many"):
            return self._object_question(many=kind == "many")
        if kind == "there":
            return self.there(self.chance.pick(("present", "past")), depth, question=True)
        if kind == "place":
            return self._where_is()
        return self.yes_or_no(depth, adverb=kind == "adverb")

    def yes_or_no(self, depth: int, *, adverb: bool = False, tenses: tuple[tuple[str, float], ...] = TENSES) -> Phrase:
        """Make "does the boy sleep here?" or "why did the queen smile?"."""
        word = Phrase()
        tense = self.chance.weighted(tenses)
        if adverb:
            word = self.chance.pick(
                (phrase("when", "quando"), phrase("why", "por que", "0-0 0-1"), phrase("where", "onde"))
            )
            tense = self.chance.pick(("present", "past", "past", "future"))
        while True:
            subject = self.subject(max(0, depth - 1))
            made = self.predicate(subject, Manner(tense, question=True), depth, adjuncts=not adverb)
            if made is not None and not (adverb and (made.stative or made.group.preposition)):
                return word + _asked(subject, made.group, made.complement)

    def _who(self, depth: int) -> Phrase:
        """Ask who does something: "who opened the door?"."""
        word = phrase("who", "quem")
        asked = NounPhrase(word, "m", False, 1, True, 1)
        made = None
        while made is None:
            tense = self.chance.weighted(
                (("present", 4.0), ("past", 5.0), ("future", 2.0), ("progressive", 2.0), ("can", 1.0))
            )
            made = self.predicate(asked, Manner(tense), depth)
        return word + made.said

    def _where_is(self) -> Phrase:
        """Make "where is the key?": onde está a chave, where the verb comes first in both languages."""
        noun = self.chance.pick(nouns_with("person", "animal", "thing", "vehicle"))
        subject = self.nouns.build(noun, 1, determiner="definite")
        group = be_group(subject, Manner(self.chance.pick(("present", "present", "past"))), "estar")
        return phrase("where", "onde") + Phrase(group.auxiliary, group.pt) + subject.phrase

    def _object_question(self, *, many: bool) -> Phrase:
        """Make "what did she buy?", "who does he talk to?", "which car ...?", "how many eggs ...?"."""
        chance = self.chance
        asks = "many" if many else chance.weighted((("what", 5.0), ("who", 4.0), ("which", 4.0)))
        subject = self.actor(0)
        doer = subject.noun.tags if subject.noun is not None else frozenset({"person"})
        fitting = [
            verb
            for verb in VERBS
            if verb.frame == "object"
            and any(tag in doer for tag in verb.subjects)
            and (asks != "who" or "person" in verb.objects)
            and (asks != "what" or (set(verb.objects) & _INANIMATE and verb.preposition not in ("para", "a")))
            and (asks != "many" or "drink" not in verb.objects)
        ]
        if not fitting:
            return self._who(0)
        verb = chance.pick(fitting)
        tense = "present" if verb.stative or chance.happens(0.45) else chance.pick(("past", "past", "future"))
        group = verb_group(verb, subject, Manner(tense, question=True))
        word = self._asked_object(asks, verb, subject)
        start = Phrase(word.en + group.auxiliary, group.preposition + word.pt)
        return start + Phrase(subject.phrase.en + group.rest + group.particle, subject.phrase.pt + group.pt)

    def _asked_object(self, asks: str, verb: Verb, subject: NounPhrase) -> Phrase:
        if asks == "who":
            return phrase("who", "quem")
        if asks == "what":
            return phrase("what", "que") if verb.preposition else phrase("what", "o que", "0-0 0-1")
        kinds = [noun for noun in nouns_with(*verb.objects) if noun != subject.noun and noun.en_plural != "-"]
        noun = self.chance.pick(kinds) if kinds else self.chance.pick(nouns_with(*verb.objects))
        if asks == "many":
            many = "quantas" if noun.gender == "f" else "quantos"
            return (
                phrase("how many", many, "0-0 1-0") + self.nouns.build(noun, 0, plural=True, determiner="none").phrase
            )
        return phrase("which", "que") + self.nouns.build(noun, 0, determiner="none").phrase
