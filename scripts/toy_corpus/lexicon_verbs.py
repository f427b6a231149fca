"""The verbs: English forms, Portuguese conjugation, what they govern, and what can stand around them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A verb of both languages.

    Attributes:
        base, third, past, participle, gerund: The English forms.
        particle: The English preposition that belongs to the verb ("look for"), or "".
        infinitive: The Portuguese infinitive.
        preposition: The Portuguese preposition that it governs ("gostar de"), or "".
        reflexive: Whether the Portuguese verb is reflexive ("lembrar-se").
        frame: What follows: none, object, place, giving (object and recipient).
        stative: A state: never progressive, and its past is the Portuguese imperfect.
        subjects, objects: Tags of the nouns it takes.
        passive: Whether the corpus uses it in the passive.
    """

    base: str
    third: str
    past: str
    participle: str
    gerund: str
    particle: str
    infinitive: str
    preposition: str
    reflexive: bool
    frame: str
    stative: bool
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    passive: bool


# english forms (base third past participle gerund) | particle | portuguese, its preposition
# | frame and flags | subjects | objects (animate: person animal)
_TABLE = """
buy buys bought bought buying | | comprar | object passive | person | thing vehicle food furniture animal
find finds found found finding | | encontrar | object passive nogerund | person animal | person animal thing
open opens opened opened opening | | abrir | object passive | person | shut
write writes wrote written writing | | escrever | object passive | person | written heard
eat eats ate eaten eating | | comer | object | person animal | food
drink drinks drank drunk drinking | | beber | object | person animal | drink
build builds built built building | | construir | object passive | person | building builtup made
visit visits visited visited visiting | | visitar | object passive | person | person place
help helps helped helped helping | | ajudar | object | person animal | person animal
love loves loved loved loving | | amar | object stative | person animal | person animal town
know knows knew known knowing | | conhecer | object stative | person | person town building
like likes liked liked liking | | gostar de | object stative | person animal | animate place thing food drink media
need needs needed needed needing | | precisar de | object stative | person | person thing vehicle furniture food
look looks looked looked looking | at | olhar para | object | person animal | person animal look building vehicle
look looks looked looked looking | for | procurar | object | person animal | person animal thing
wait waits waited waited waiting | for | esperar | object | person animal | person animal
listen listens listened listened listening | to | ouvir | object | person | person heard
talk talks talked talked talking | to | falar com | object | person | person animal
remember remembers remembered remembered remembering | | lembrar-se de | object nogerund | person | person town media
watch watches watched watched watching | | assistir a | object | person | watched
obey obeys obeyed obeyed obeying | | obedecer a | object | person | ruler
enter enters entered entered entering | | entrar em | place | person animal | building room
arrive arrives arrived arrived arriving | at | chegar a | place | person animal | building at
live lives lived lived living | in | morar em | place stative | person animal | building town
go goes went gone going | to | ir a | place nofuture nogerund | person animal | place
give gives gave given giving | | dar | giving | person | thing food
sell sells sold sold selling | | vender | giving passive | person | thing vehicle animal furniture food
sleep sleeps slept slept sleeping | | dormir | none | person animal |
work works worked worked working | | trabalhar | none | person |
dance dances danced danced dancing | | dançar | none | person |
run runs ran run running | | correr | none | person animal |
wake wakes woke woken waking | up | acordar | none nogerund | person animal |
"""

# Portuguese verbs that are not regular: present (eu, ele, nós, eles), past, participle, gerund; - for regular.
IRREGULAR: dict[str, tuple[str, str, str, str]] = {
    "ver": ("vejo vê vemos veem", "vi viu vimos viram", "visto", "vendo"),
    "abrir": ("-", "-", "aberto", "-"),
    "escrever": ("-", "-", "escrito", "-"),
    "construir": (
        "construo constrói construímos constroem",
        "construí construiu construímos construíram",
        "construído",
        "-",
    ),
    "ouvir": ("ouço ouve ouvimos ouvem", "-", "-", "-"),
    "dormir": ("durmo dorme dormimos dormem", "-", "-", "-"),
    "ir": ("vou vai vamos vão", "fui foi fomos foram", "ido", "indo"),
    "dar": ("dou dá damos dão", "dei deu demos deram", "dado", "dando"),
    "trazer": ("trago traz trazemos trazem", "trouxe trouxe trouxemos trouxeram", "trazido", "trazendo"),
    "querer": ("quero quer queremos querem", "quis quis quisemos quiseram", "querido", "querendo"),
    "poder": ("posso pode podemos podem", "pude pôde pudemos puderam", "podido", "podendo"),
    "dizer": ("digo diz dizemos dizem", "disse disse dissemos disseram", "dito", "dizendo"),
    "saber": ("sei sabe sabemos sabem", "soube soube soubemos souberam", "sabido", "sabendo"),
    "ser": ("sou é somos são", "fui foi fomos foram", "sido", "sendo"),
    "estar": ("estou está estamos estão", "estive esteve estivemos estiveram", "estado", "estando"),
}

IMPERFECT: dict[str, str] = {"ser": "era era éramos eram"}


def _parse(line: str) -> tuple[Verb, frozenset[str]]:
    forms, particle, portuguese, frame, subjects, objects = (part.strip() for part in line.split("|"))
    base, third, past, participle, gerund = forms.split()
    infinitive, _, preposition = portuguese.partition(" ")
    kind, *flags = frame.split()
    verb = Verb(
        base,
        third,
        past,
        participle,
        gerund,
        particle,
        infinitive.removesuffix("-se"),
        preposition,
        infinitive.endswith("-se"),
        kind,
        "stative" in flags,
        tuple(subjects.split()),
        tuple(objects.replace("animate", "person animal").split()),
        "passive" in flags,
    )
    return verb, frozenset(flags)


_ROWS = tuple(_parse(line) for line in _TABLE.strip().splitlines())

VERBS: tuple[Verb, ...] = tuple(verb for verb, _ in _ROWS)
# Slow or quick ways fit these.
MOVING: frozenset[str] = frozenset({"correr", "dançar", "trabalhar"})
NO_FUTURE: frozenset[str] = frozenset(v.infinitive for v, flags in _ROWS if "nofuture" in flags)
NO_GERUND: frozenset[str] = frozenset(v.infinitive for v, flags in _ROWS if "nogerund" in flags or v.stative)


# Verbs that the grammar asks for by name.
BELONG, WANT, SAY, THINK, KNOW = (
    _parse(line)[0]
    for line in (
        "belong belongs belonged belonged belonging | to | pertencer a | object stative | thing | person",
        "want wants wanted wanted wanting | | querer | clause stative | person |",
        "say says said said saying | | dizer | clause | person |",
        "think thinks thought thought thinking | | achar | clause stative | person |",
        "know knows knew known knowing | | saber | clause stative | person |",
    )
)
