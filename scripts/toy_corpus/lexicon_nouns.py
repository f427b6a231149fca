"""The nouns: both languages, singular and plural, Portuguese gender, and what can be said of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A noun and its tags: what kind of thing it is, which is how verbs and adjectives choose it."""

    en: str
    en_plural: str
    pt: str
    pt_plural: str
    gender: str
    tags: frozenset[str]


# english, its plural (- for none, + for -s), portuguese, its plural (- for none, + for -s), gender: tags
_TABLE = """
man men homem homens m: person ownerless
woman women mulher + f: person ownerless
boy + menino + m: person kid
girl + menina + f: person kid
child children criança + f: person kid ownerless
mother - mãe - f: person
father - pai - m: person
brother + irmão + m: person
sister + irmã + f: person
son + filho + m: person kid
daughter + filha + f: person kid
friend + amigo + m: person
teacher + professor + m: person
doctor + médico + m: person
king + rei reis m: person ruler great
queen + rainha + f: person ruler great
singer + cantora + f: person great
writer + escritora + f: person great
witch + bruxa + f: person
thief thieves ladrão ladrões m: person
dog + cachorro + m: animal coat
cat + gato + m: animal coat
horse + cavalo + m: animal coat
bird + pássaro + m: animal
lion + leão leões m: animal
elephant + elefante + m: animal
book + livro + m: thing written media
letter + carta + f: thing written
photo + foto + f: thing look
painting + quadro + m: thing look
key + chave + f: thing
box + caixa + f: thing container colored shut
cup + xícara + f: thing container colored wash
table + mesa + f: furniture top colored made
chair + cadeira + f: furniture top colored made
door + porta + f: part shut colored made
window + janela + f: part shut colored wash
hat + chapéu chapéus m: thing colored worn
dress + vestido + m: thing colored worn wash
guitar + violão violões m: thing colored
flower + flor + f: thing colored
car + carro + m: vehicle colored wash made
boat + barco + m: vehicle colored wash made
apple + maçã + f: food
cake + bolo + m: food
egg + ovo + m: food
milk - leite - m: drink
water - água - f: drink
coffee - café - m: drink
movie + filme + m: media watched
song + canção canções f: media heard
game + jogo + m: watched
house + casa + f: place building colored
kitchen + cozinha + f: place room
garden + jardim jardins m: place room
school + escola + f: place building at
church + igreja + f: place building tower
market + mercado + m: place at
station + estação estações f: place at
hotel + hotel hotéis m: place building tower
beach + praia + f: place open
city cities cidade + f: place town
village + aldeia + f: place town
bridge + ponte + f: place open builtup
theater + teatro + m: place building at
"""


def _portuguese_plural(singular: str, plural: str) -> str:
    if plural != "+":
        return plural
    return singular + ("es" if singular[-1] in "rz" else "s")


def _parse(line: str) -> Noun:
    forms, tags = line.split(": ")
    en, en_plural, pt, pt_plural, gender = forms.split()
    if en_plural == "+":
        en_plural = en + ("es" if en.endswith(("x", "ch", "ss")) else "s")
    return Noun(en, en_plural, pt, _portuguese_plural(pt, pt_plural), gender, frozenset(tags.split()))


NOUNS: tuple[Noun, ...] = tuple(_parse(line) for line in _TABLE.strip().splitlines())


def nouns_with(*tags: str) -> tuple[Noun, ...]:
    """Return the nouns that have any of the tags, in the order of the table."""
    wanted = frozenset(tags)
    return tuple(noun for noun in NOUNS if noun.tags & wanted)
