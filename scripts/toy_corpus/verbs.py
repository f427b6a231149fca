"""Portuguese conjugation, and verb groups: a verb with its auxiliaries, negation, adverb and clitic pronoun."""

from __future__ import annotations

from dataclasses import dataclass

from .alignment import NOTHING, Phrase, Target, Word
from .lexicon_verbs import IMPERFECT, IRREGULAR, WANT, Verb
from .noun_phrases import NounPhrase

_ENDINGS = {
    ("present", "a"): "o a amos am",
    ("present", "e"): "o e emos em",
    ("present", "i"): "o e imos em",
    ("past", "a"): "ei ou amos aram",
    ("past", "e"): "i eu emos eram",
    ("past", "i"): "i iu imos iram",
    ("imperfect", "a"): "ava ava ávamos avam",
    ("imperfect", "e"): "ia ia íamos iam",
    ("imperfect", "i"): "ia ia íamos iam",
}
_TENSE_ROW = {"present": 0, "past": 1}
_REFLEXIVE = ("me", "se", "nos", "se")
_MODALS = {"future": ("will", "ir"), "can": ("can", "poder"), "must": ("must", "dever")}
_BE = {"present": ("am", "is", "are"), "past": ("was", "was", "were")}


def _before(stem: str, ending: str) -> str:
    """Spell the stem so that it keeps its sound before the ending: buscar, busquei; proteger, protejo."""
    if ending[0] in "eéií":
        for last, written in (("c", "qu"), ("g", "gu"), ("ç", "c")):
            if stem.endswith(last):
                return stem[:-1] + written
    elif stem.endswith("c"):
        return stem[:-1] + "ç"
    return stem


def conjugate(infinitive: str, tense: str, slot: int) -> str:
    """Return a form of a Portuguese verb.

    Args:
        infinitive: The infinitive, without a pronoun.
        tense: present, past (pretérito perfeito) or imperfect.
        slot: 0 for eu, 1 for ele and você, 2 for nós, 3 for eles.
    """
    if tense == "imperfect" and infinitive in IMPERFECT:
        return IMPERFECT[infinitive].split()[slot]
    if tense in _TENSE_ROW and infinitive in IRREGULAR:
        forms = IRREGULAR[infinitive][_TENSE_ROW[tense]]
        if forms != "-":
            return forms.split()[slot]
    stem, vowel = infinitive[:-2], infinitive[-2]
    ending = _ENDINGS[tense, vowel].split()[slot]
    # A stem in c or g changes its spelling only where the vowel class of the ending differs from the infinitive's.
    same_class = (vowel == "a") == (ending[0] in "aáo")
    return (stem if same_class else _before(stem, ending)) + ending


def gerund(infinitive: str) -> str:
    """Return the Portuguese gerund: lendo."""
    return infinitive[:-1] + "ndo"


def participle(infinitive: str, gender: str, plural: bool) -> str:
    """Return the Portuguese participle that agrees with a noun: escrita."""
    form = IRREGULAR[infinitive][2] if infinitive in IRREGULAR else "-"
    if form == "-":
        form = infinitive[:-2] + ("ado" if infinitive[-2] == "a" else "ido")
    return form[:-1] + ("a" if gender == "f" else "o") + ("s" if plural else "")


@dataclass(frozen=True)
class Manner:
    """How a clause speaks: tense, negation, question, and the adverb that stands at its verb."""

    tense: str = "present"
    negative: bool = False
    question: bool = False
    adverb: Phrase = NOTHING


@dataclass(frozen=True)
class VerbGroup:
    """A verb group; in a question the English auxiliary goes before the subject.

    Attributes:
        auxiliary: do, will, is ..., or nothing.
        rest: What follows it in English, the verb last.
        particle: The English preposition that belongs to the verb.
        pt: The Portuguese words.
        preposition: The Portuguese preposition before the object, or nothing.
    """

    auxiliary: tuple[Word, ...]
    rest: tuple[Word, ...]
    particle: tuple[Word, ...]
    pt: tuple[Target, ...]
    preposition: tuple[Target, ...]


def pt_past(verb: Verb) -> str:
    """Return the Portuguese tense that the English simple past of this verb means."""
    return "imperfect" if verb.stative else "past"


def be(subject: NounPhrase, tense: str) -> Word:
    """Return the form of "to be" that agrees with the subject."""
    return Word(_BE[tense][subject.be_row])


def english_finite(verb: Verb, subject: NounPhrase, tense: str) -> Word:
    """Return the simple present or past of an English verb."""
    if tense == "past":
        return Word(verb.past)
    return Word(verb.third if subject.third else verb.base)


def verb_group(verb: Verb, subject: NounPhrase, manner: Manner, clitic: Phrase = NOTHING) -> VerbGroup:
    """Build the verb group of a clause.

    Args:
        verb: The verb.
        subject: What it agrees with.
        manner: Tense (present, past, future, can, must, want, progressive, past progressive), negation, question.
        clitic: A Portuguese object pronoun that goes before the verb (its English stands elsewhere).
    """
    particle = tuple(Word(text) for text in verb.particle.split())
    if manner.tense in _MODALS:
        auxiliary, rest, finite, main = _modal(verb, subject, manner)
    elif manner.tense in ("progressive", "past progressive"):
        auxiliary, rest, finite, main = _progressive(verb, subject, manner)
    elif manner.tense == "want":
        auxiliary, rest, finite, main = _wanting(verb, subject, manner)
    else:
        auxiliary, rest, finite, main = _simple(verb, subject, manner)
    meaning = (rest[-1],)
    # A particle without a Portuguese preposition is a part of the verb's meaning: "waits for" is "espera".
    owner = particle or meaning
    preposition = (Target(verb.preposition, owner),) if verb.preposition else ()
    if particle and not preposition:
        main = (*main[:-1], Target(main[-1].text, main[-1].links + particle))
    reflexive = (Target(_REFLEXIVE[subject.slot], meaning),) if verb.reflexive else ()
    negation = tuple(Target("não", (word,)) for word in rest[:1] if word.text == "not")
    if auxiliary and auxiliary[0].text == "cannot":
        negation = (Target("não", auxiliary),)
    pt = negation + manner.adverb.pt + finite + reflexive + clitic.pt + main
    return VerbGroup(auxiliary, rest, particle, pt, preposition)


_Parts = tuple[tuple[Word, ...], tuple[Word, ...], tuple[Target, ...], tuple[Target, ...]]


def _not(manner: Manner) -> tuple[Word, ...]:
    return (Word("not"),) if manner.negative else ()


def _modal(verb: Verb, subject: NounPhrase, manner: Manner) -> _Parts:
    english, portuguese = _MODALS[manner.tense]
    negation = _not(manner)
    if english == "can" and manner.negative:
        english, negation = "cannot", ()
    auxiliary, main = Word(english), Word(verb.base)
    finite = Target(conjugate(portuguese, "present", subject.slot), (auxiliary,))
    rest = (*negation, *manner.adverb.en, main)
    return (auxiliary,), rest, (finite,), (Target(verb.infinitive, (main,)),)


def _progressive(verb: Verb, subject: NounPhrase, manner: Manner) -> _Parts:
    tense = "past" if manner.tense == "past progressive" else "present"
    auxiliary, main = be(subject, tense), Word(verb.gerund)
    form = conjugate("estar", "imperfect" if tense == "past" else "present", subject.slot)
    rest = (*_not(manner), *manner.adverb.en, main)
    return (auxiliary,), rest, (Target(form, (auxiliary,)),), (Target(gerund(verb.infinitive), (main,)),)


def _do(subject: NounPhrase, manner: Manner, tense: str) -> tuple[Word, ...]:
    """Return do, does or did where English needs it."""
    if not (manner.negative or manner.question):
        return ()
    return (Word("did" if tense == "past" else "does" if subject.third else "do"),)


def _wanting(verb: Verb, subject: NounPhrase, manner: Manner) -> _Parts:
    auxiliary = _do(subject, manner, "present")
    wants = Word(WANT.base) if auxiliary else english_finite(WANT, subject, "present")
    to, main = Word("to"), Word(verb.base)
    finite = Target(conjugate(WANT.infinitive, "present", subject.slot), (*auxiliary, wants))
    rest = (*_not(manner), *manner.adverb.en, wants, to, main)
    return auxiliary, rest, (finite,), (Target(verb.infinitive, (to, main)),)


def _simple(verb: Verb, subject: NounPhrase, manner: Manner) -> _Parts:
    auxiliary = _do(subject, manner, manner.tense)
    main = Word(verb.base) if auxiliary else english_finite(verb, subject, manner.tense)
    tense = pt_past(verb) if manner.tense == "past" else "present"
    form = Target(conjugate(verb.infinitive, tense, subject.slot), (*auxiliary, main))
    return auxiliary, (*_not(manner), *manner.adverb.en, main), (), (form,)


def be_group(subject: NounPhrase, manner: Manner, portuguese: str) -> VerbGroup:
    """Build "is", "was", "is not": ser or estar, whose past is the imperfect."""
    auxiliary = be(subject, manner.tense)
    tense = "imperfect" if manner.tense == "past" else "present"
    finite = Target(conjugate(portuguese, tense, subject.slot), (auxiliary,))
    rest = _not(manner)
    return VerbGroup((auxiliary,), rest, (), (*(Target("não", (word,)) for word in rest), finite), ())


def passive_group(verb: Verb, subject: NounPhrase, manner: Manner) -> VerbGroup:
    """Build "was built" or "will be built": foi construída, vai ser construída."""
    main, negation = Word(verb.participle), _not(manner)
    done = Target(participle(verb.infinitive, subject.gender, subject.plural), (main,))
    refused = tuple(Target("não", (word,)) for word in negation)
    if manner.tense == "future":
        will, infinitive = Word("will"), Word("be")
        finite = Target(conjugate("ir", "present", subject.slot), (will,))
        pt = (*refused, finite, Target("ser", (infinitive,)), done)
        return VerbGroup((will,), (*negation, infinitive, main), (), pt, ())
    auxiliary = be(subject, "past")
    finite = Target(conjugate("ser", "past", subject.slot), (auxiliary,))
    return VerbGroup((auxiliary,), (*negation, main), (), (*refused, finite, done), ())
