"""The adjectives: Portuguese forms, place before or after the noun, ser or estar, and what they can describe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adjective:
    """An adjective with its four Portuguese forms: masculine, feminine, masculine plural, feminine plural."""

    en: str
    forms: tuple[str, str, str, str]
    verb: str
    tags: frozenset[str]

    def form(self, gender: str, plural: bool) -> str:
        """Return the form that agrees with a noun."""
        return self.forms[(gender == "f") + 2 * plural]


# english portuguese (masculine, or the four forms with /) ser|estar|- (never after a verb): tags of nouns
_AFTER = """
old velho ser: person animal thing furniture vehicle place part
young jovem/jovem/jovens/jovens ser: person animal
tall alto ser: person tower
small pequeno ser: animal thing furniture vehicle place part food
big grande ser: animal thing furniture vehicle place part food
strong forte ser: person animal
famous famoso ser: person building town watched heard
brave corajoso ser: person animal
tired cansado estar: person animal
happy feliz/feliz/felizes/felizes estar: person animal
sick doente estar: person animal
red vermelho ser: colored
black preto ser: colored coat
white branco ser: colored coat
new novo ser: thing furniture vehicle building part watched heard
expensive caro ser: thing furniture vehicle
clean limpo estar: wash place furniture
dirty sujo estar: wash room furniture
cold frio estar: drink food
Portuguese português/portuguesa/portugueses/portuguesas ser: person town building heard watched vehicle
"""

_BEFORE = """
good bom/boa/bons/boas -: media watched kid great food
beautiful belo -: place thing animal vehicle heard
little pequeno -: kid animal place thing
great grande -: great town
"""

# The same, only after "the": "the first red car".
_ORDINAL = """
first primeiro -: person animal thing furniture vehicle food place watched heard part
last último -: person animal thing furniture vehicle food place watched heard part
other outro -: person animal thing furniture vehicle food place watched heard part
"""

# english comparative, portuguese (m/f/mp/fp or masculine), english superlative: tags
_COMPARED = """
taller alto tallest: person tower
older velho oldest: person animal building vehicle
younger jovem/jovem/jovens/jovens youngest: person
stronger forte strongest: person animal
"""


def _four_forms(text: str) -> tuple[str, str, str, str]:
    if "/" in text:
        masculine, feminine, masculine_plural, feminine_plural = text.split("/")
        return masculine, feminine, masculine_plural, feminine_plural
    if text.endswith("o"):
        return text, text[:-1] + "a", text + "s", text[:-1] + "as"
    return text, text, text + "s", text + "s"


def _parse(table: str) -> tuple[Adjective, ...]:
    found = []
    for line in table.strip().splitlines():
        forms, tags = line.split(": ")
        en, pt, verb = forms.split()
        found.append(Adjective(en, _four_forms(pt), verb, frozenset(tags.split())))
    return tuple(found)


AFTER: tuple[Adjective, ...] = _parse(_AFTER)
BEFORE: tuple[Adjective, ...] = _parse(_BEFORE)
ORDINAL: tuple[Adjective, ...] = _parse(_ORDINAL)
# The English superlative takes the place of the verb: it is what `verb` holds here.
COMPARED: tuple[Adjective, ...] = tuple(
    Adjective(line.split()[0], _four_forms(line.split()[1]), line.split()[2].rstrip(":"), frozenset(tags.split()))
    for line, tags in (row.split(": ") for row in _COMPARED.strip().splitlines())
)
