"""Noun phrases: determiners, adjectives that move, owners, and agreement in gender and number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from .alignment import Phrase, Target, Word, join, phrase
from .chance import Chance
from .lexicon_adjectives import AFTER, BEFORE, COMPARED, ORDINAL, Adjective
from .lexicon_nouns import Noun, nouns_with


@dataclass(frozen=True)
class NounPhrase:
    """A noun phrase and what agrees with it.

    Attributes:
        phrase: Its words.
        gender: m or f.
        plural: Whether it is plural.
        slot: Portuguese person: 0 eu, 1 ele and você, 2 nós, 3 eles.
        third: Whether an English verb takes -s.
        be_row: 0 am, 1 is, 2 are.
        noun: The head, or None for a pronoun and a list.
    """

    phrase: Phrase
    gender: str
    plural: bool
    slot: int
    third: bool
    be_row: int
    noun: Noun | None = None

    def followed_by(self, more: Phrase) -> NounPhrase:
        """Return the noun phrase with a modifier after it."""
        return replace(self, phrase=self.phrase + more)


# English subject, Portuguese subject, gender, plural, slot, third, be_row
_SUBJECTS = (
    (("I", "eu", "m", False, 0, False, 0), 6),
    (("you", "você", "m", False, 1, False, 2), 3),
    (("he", "ele", "m", False, 1, True, 1), 3),
    (("she", "ela", "f", False, 1, True, 1), 3),
    (("we", "nós", "m", True, 2, False, 2), 6),
    (("they", "eles", "m", True, 3, False, 2), 3),
)
# English object, Portuguese before the verb as object and as recipient ("" for none), and after a preposition
OBJECT_PRONOUNS = (
    ("me", "me", "me", "mim"),
    ("him", "o", "lhe", "ele"),
    ("her", "a", "lhe", "ela"),
    ("us", "nos", "nos", "nós"),
    ("them", "os", "lhes", "eles"),
)
_OWNERS_BEFORE = {
    "my": ("meu", "minha", "meus", "minhas"),
    "our": ("nosso", "nossa", "nossos", "nossas"),
    "your": ("seu", "sua", "seus", "suas"),
}
_OWNERS_AFTER = {"his": "dele", "her": "dela", "their": "deles"}
_ARTICLE = ("o", "a", "os", "as")
_DEMONSTRATIVES = (
    ("this", "these", ("este", "esta", "estes", "estas")),
    ("that", "those", ("aquele", "aquela", "aqueles", "aquelas")),
)
_NUMBERS = (("two", "dois", "duas"), ("three", "três", "três"), ("four", "quatro", "quatro"))
_QUANTIFIERS = (("many", "muitos", "muitas"), ("some", "alguns", "algumas"))
_OPPOSITES = (
    {"small", "big", "little", "great", "tall"},
    {"old", "young", "new"},
    {"clean", "dirty"},
    {"red", "black", "white"},
)
UNGRADED = {"red", "black", "white", "Portuguese"}


def form_index(gender: str, plural: bool) -> int:
    """Return the place of a form in (masculine, feminine, masculine plural, feminine plural)."""
    return (gender == "f") + 2 * plural


def pronoun_phrase(english: str, portuguese: str) -> Phrase:
    """Return a pronoun after a preposition: com + mim, de + ele."""
    word = Word(english)
    return Phrase((word,), (Target(portuguese, (word,), merges=True),))


def clashes(first: Adjective, second: Adjective) -> bool:
    """Return whether two adjectives cannot describe one thing: "small" and "big"."""
    return first == second or any(first.en in group and second.en in group for group in _OPPOSITES)


def contradicts(adjective: Adjective, said: Collection[str]) -> bool:
    """Return whether the adjective repeats or contradicts a word said before: "the old bridge is new"."""
    return adjective.en in said or any(adjective.en in group and not group.isdisjoint(said) for group in _OPPOSITES)


def coordinated(parts: Sequence[NounPhrase]) -> NounPhrase:
    """Join noun phrases: a, b and c. One masculine makes the whole masculine."""
    pieces = [parts[0].phrase]
    for part in parts[1:-1]:
        pieces += [phrase(",", ","), part.phrase]
    pieces += [phrase("and", "e"), parts[-1].phrase]
    gender = "f" if all(part.gender == "f" for part in parts) else "m"
    return NounPhrase(join(pieces), gender, True, 3, False, 2)


class NounPhrases:
    """Makes noun phrases."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def subject_pronoun(self) -> NounPhrase:
        """Make a subject pronoun; Portuguese never drops it here, so that it need not be guessed."""
        english, portuguese, gender, plural, slot, third, be_row = self.chance.weighted(_SUBJECTS)
        return NounPhrase(phrase(english, portuguese), gender, plural, slot, third, be_row)

    def build(
        self, noun: Noun, depth: int, *, plural: bool | None = None, determiner: str = "any", bare: bool = False
    ) -> NounPhrase:
        """Make a noun phrase with a determiner and adjectives.

        Args:
            noun: The head.
            depth: How much may be added (0: little).
            plural: Whether it is plural; None lets chance decide.
            determiner: any, definite, indefinite, the, or none.
            bare: Whether the determiner may be left out ("drinks milk").
        """
        mass = "drink" in noun.tags
        if plural is None:
            plural = noun.en_plural != "-" and self.chance.happens(0.28)
        if bare and (mass or plural) and self.chance.happens(0.5):
            determiner = "none"
        elif mass and determiner != "none":  # "which milk", not "which the milk"
            determiner = "definite"
        front, back, ordinal_allowed = self._determiner(noun, plural, determiner)
        before, after = self._adjectives(noun, plural, depth, ordinal_allowed)
        text = (noun.en_plural, noun.pt_plural) if plural else (noun.en, noun.pt)
        head = phrase(*text)
        en = front.en + before.en + after.en + head.en
        pt = front.pt + before.pt + head.pt + after.pt + back.pt
        if plural:
            return NounPhrase(Phrase(en, pt), noun.gender, True, 3, False, 2, noun)
        return NounPhrase(Phrase(en, pt), noun.gender, False, 1, True, 1, noun)

    def _determiner(self, noun: Noun, plural: bool, kind: str) -> tuple[Phrase, Phrase, bool]:
        """Return what stands before the noun, what Portuguese puts behind it, and whether "first" may follow."""
        chance, index = self.chance, form_index(noun.gender, plural)
        if kind == "none":
            return Phrase(), Phrase(), False
        if kind == "any":
            kind = "indefinite" if chance.happens(0.22) else "definite"
        if kind == "indefinite":
            return self._indefinite(noun, plural), Phrase(), False
        choices = [("the", 50.0), ("demonstrative", 13.0)]
        if "ownerless" not in noun.tags:  # "my woman" is no way to speak
            choices += [("owner", 20.0)]
        if plural:
            choices += [("all", 4.0), ("numbered", 5.0)]
        choice = "the" if kind == "the" else chance.weighted(choices)
        if choice == "demonstrative":
            singular, several, forms = chance.pick(_DEMONSTRATIVES)
            word = Word(several if plural else singular)
            return Phrase((word,), (Target(forms[index], (word,), merges=True),)), Phrase(), False
        if choice == "owner":
            return (*self._owner(index), False)
        word = Word("the")
        article = Phrase((word,), (Target(_ARTICLE[index], (word,), merges=True),))
        if choice == "all":
            return phrase("all", "todas" if noun.gender == "f" else "todos") + article, Phrase(), False
        if choice == "numbered":
            return article + self._number(noun, _NUMBERS), Phrase(), False
        return article, Phrase(), True

    def _owner(self, index: int) -> tuple[Phrase, Phrase]:
        english = self.chance.pick(("my", "my", "our", "your", "his", "his", "her", "her", "their"))
        word = Word(english)
        article = Target(_ARTICLE[index], (word,), merges=True)
        if english in _OWNERS_BEFORE:
            return Phrase((word,), (article, Target(_OWNERS_BEFORE[english][index], (word,)))), Phrase()
        return Phrase((word,), (article,)), Phrase((), (Target(_OWNERS_AFTER[english], (word,)),))

    def _number(self, noun: Noun, table: Sequence[tuple[str, str, str]]) -> Phrase:
        english, masculine, feminine = self.chance.pick(table)
        return phrase(english, feminine if noun.gender == "f" else masculine)

    def _indefinite(self, noun: Noun, plural: bool) -> Phrase:
        if plural:
            return self._number(noun, _NUMBERS if self.chance.happens(0.5) else _QUANTIFIERS)
        word = Word("a")
        return Phrase((word,), (Target("uma" if noun.gender == "f" else "um", (word,), merges=True),))

    def _adjectives(self, noun: Noun, plural: bool, depth: int, ordinal: bool) -> tuple[Phrase, Phrase]:
        """Return the adjectives before and after the Portuguese noun; English has them all before it."""
        chance, before, after = self.chance, Phrase(), Phrase()
        used: Adjective | None = None
        fitting = [a for a in (*BEFORE, *(ORDINAL if ordinal else ())) if a.tags & noun.tags]
        if fitting and chance.happens(0.07 + 0.02 * depth):
            used = chance.pick(fitting)
            before = phrase(used.en, used.form(noun.gender, plural))
        behind = [a for a in AFTER if a.tags & noun.tags and not (used and clashes(a, used))]
        if behind and chance.happens(0.18 + 0.06 * depth):
            first = chance.pick(behind)
            after = phrase(first.en, first.form(noun.gender, plural))
            if first.en not in UNGRADED and used is None and chance.happens(0.08):
                after = phrase("very", "muito") + after
            others = [a for a in behind if not clashes(a, first) and "Portuguese" not in (a.en, first.en)]
            if others and used is None and chance.happens(0.04 + 0.04 * depth):
                second = chance.pick(others)
                after = after + phrase("and", "e") + phrase(second.en, second.form(noun.gender, plural))
        return before, after

    def owned(self, noun: Noun, owner: NounPhrase, depth: int, *, plural: bool = False) -> NounPhrase:
        """Make "the king 's old castle": the owner goes behind the noun and takes "de"."""
        before, after = self._adjectives(noun, plural, depth, False)
        mark = Word("'s")
        article = Target(_ARTICLE[form_index(noun.gender, plural)], (mark,), merges=True)
        text = (noun.en_plural, noun.pt_plural) if plural else (noun.en, noun.pt)
        head = phrase(*text)
        en = (*owner.phrase.en, mark, *before.en, *after.en, *head.en)
        pt = (article, *before.pt, *head.pt, *after.pt, Target("de", (mark,)), *owner.phrase.pt)
        slot, be_row = (3, 2) if plural else (1, 1)
        return NounPhrase(Phrase(en, pt), noun.gender, plural, slot, not plural, be_row, noun)

    def superlative(self, noun: Noun) -> NounPhrase | None:
        """Make "the oldest house in the village": a casa mais velha da aldeia."""
        fitting = [a for a in COMPARED if a.tags & noun.tags]
        if not fitting:
            return None
        adjective = self.chance.pick(fitting)
        the, most, inside = Word("the"), Word(adjective.verb), Word("in")
        head = phrase(noun.en, noun.pt)
        town = self.build(self.chance.pick(nouns_with("town")), 0, plural=False, determiner="the")
        article = Target(_ARTICLE[form_index(noun.gender, False)], (the,), merges=True)
        form = adjective.form(noun.gender, False)
        compared = (Target("mais", (most,)), Target(form, (most,)))
        en = (the, most, *head.en, inside, *town.phrase.en)
        pt = (article, *head.pt, *compared, Target("de", (inside,)), *town.phrase.pt)
        return NounPhrase(Phrase(en, pt), noun.gender, False, 1, True, 1, noun)
