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
man men homem homens m: person
woman women mulher + f: person
boy + menino + m: person kid
girl + menina + f: person kid
child children criança + f: person kid
mother - mãe - f: person
father - pai - m: person
grandmother - avó - f: person
brother + irmão + m: person
sister + irmã + f: person
uncle + tio + m: person
aunt + tia + f: person
son + filho + m: person kid
daughter + filha + f: person kid
friend + amigo + m: person
neighbor + vizinho + m: person
teacher + professor + m: person
student + aluno + m: person
doctor + médico + m: person
nurse + enfermeira + f: person
king + rei reis m: person ruler great
queen + rainha + f: person ruler great
baker + padeiro + m: person
singer + cantora + f: person great
painter + pintor + m: person great
writer + escritora + f: person great
soldier + soldado + m: person
tourist + turista + m: person
witch + bruxa + f: person
thief thieves ladrão ladrões m: person
dog + cachorro + m: animal coat
cat + gato + m: animal coat
horse + cavalo + m: animal coat
bird + pássaro + m: animal
cow + vaca + f: animal coat
rabbit + coelho + m: animal coat
lion + leão leões m: animal
monkey + macaco + m: animal
elephant + elefante + m: animal
fox + raposa + f: animal
book + livro + m: thing written media
letter + carta + f: thing written
newspaper + jornal jornais m: thing media
map + mapa + m: thing
photo + foto + f: thing look
painting + quadro + m: thing look
key + chave + f: thing heavy
box + caixa + f: thing container colored heavy shut
bag + bolsa + f: thing container colored heavy shut wash
cup + xícara + f: thing container colored fragile wash
bottle + garrafa + f: thing container colored fragile heavy shut wash
plate + prato + m: thing colored fragile wash
table + mesa + f: furniture top colored heavy made
chair + cadeira + f: furniture top colored heavy made
door + porta + f: part shut colored made
window + janela + f: part shut colored fragile wash
hat + chapéu chapéus m: thing colored worn
shirt + camisa + f: thing colored worn wash
dress + vestido + m: thing colored worn wash
coat + casaco + m: thing colored worn wash
ring + anel anéis m: thing
clock + relógio + m: thing fragile
guitar + violão violões m: thing colored fragile
flower + flor + f: thing colored
ball + bola + f: thing colored
car + carro + m: vehicle colored wash made
boat + barco + m: vehicle colored wash made
bicycle + bicicleta + f: vehicle colored wash made
pencil + lápis lápis m: thing colored
umbrella + guarda-chuva + m: thing colored
gift + presente + m: thing heavy
apple + maçã + f: food
cake + bolo + m: food
egg + ovo + m: food
orange + laranja + f: food
sandwich sandwiches sanduíche + m: food
milk - leite - m: drink
water - água - f: drink
coffee - café - m: drink
juice - suco - m: drink
tea - chá - m: drink
movie + filme + m: media watched
song + canção canções f: media heard
game + jogo + m: watched
house + casa + f: place building colored
kitchen + cozinha + f: place room
garden + jardim jardins m: place room
school + escola + f: place building at
church churches igreja + f: place building
market + mercado + m: place at
park + parque + m: place
library libraries biblioteca + f: place building
museum + museu museus m: place building at
hospital + hospital hospitais m: place building
station + estação estações f: place at
hotel + hotel hotéis m: place building
beach beaches praia + f: place open
street + rua + f: place open
city cities cidade + f: place town
village + aldeia + f: place town
bridge + ponte + f: place open builtup
island + ilha + f: place open
forest + floresta + f: place
theater + teatro + m: place building at
castle + castelo + m: place building
restaurant + restaurante + m: place building at
farm + fazenda + f: place open
office + escritório + m: place room
bedroom + quarto + m: place room
"""


def _portuguese_plural(singular: str, plural: str) -> str:
    if plural != "+":
        return plural
    return singular + ("es" if singular[-1] in "rz" else "s")


def _parse(line: str) -> Noun:
    forms, tags = line.split(": ")
    en, en_plural, pt, pt_plural, gender = forms.split()
    if en_plural == "+":
        en_plural = en + ("es" if en[-1] in "x" else "s")
    return Noun(en, en_plural, pt, _portuguese_plural(pt, pt_plural), gender, frozenset(tags.split()))


NOUNS: tuple[Noun, ...] = tuple(_parse(line) for line in _TABLE.strip().splitlines())


def nouns_with(*tags: str) -> tuple[Noun, ...]:
    """Return the nouns that have any of the tags, in the order of the table."""
    wanted = frozenset(tags)
    return tuple(noun for noun in NOUNS if noun.tags & wanted)
