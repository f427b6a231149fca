"""The table of mechanisms: every name a configuration may say, and what stands behind it.

The built-in ones are below. Another package adds its own with :func:`register_attention`, or without
being imported first, with an entry point in the group ``seq2seq_attn.attention``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from seq2seq_attn.attention.base import Attention, Wiring
from seq2seq_attn.attention.none import NoAttention
from seq2seq_attn.attention.parts import AS_IN_THE_PAPER, AttentionParts
from seq2seq_attn.attention.scores.additive import BahdanauNormedScore, BahdanauScore, LuongConcatScore
from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.attention.scores.location import LuongLocationScore
from seq2seq_attn.attention.scores.multiplicative import LuongDotScore, LuongGeneralScore, LuongScaledDotScore
from seq2seq_attn.errors import ConfigError, did_you_mean

AttentionClass = type[Score] | type[Attention]

ENTRY_POINTS = "seq2seq_attn.attention"


@dataclass(frozen=True)
class Mechanism:
    """What a name stands for: a score with the parts of its paper, or an attention of its own.

    Attributes:
        cls: the class.
        paper: authors, year and equation.
        summary: one line for people who choose.
        wiring: the order of attending and updating in the paper.
        parts: what the paper adds to the score.
    """

    cls: AttentionClass
    paper: str
    summary: str
    wiring: Wiring
    parts: AttentionParts = AS_IN_THE_PAPER


def _plain(cls: AttentionClass) -> Mechanism:
    return Mechanism(cls, cls.paper, cls.summary, cls.wiring)


_MECHANISMS: dict[str, Mechanism] = {
    "none": _plain(NoAttention),
    "bahdanau": _plain(BahdanauScore),
    "bahdanau-normed": _plain(BahdanauNormedScore),
    "luong-dot": _plain(LuongDotScore),
    "luong-scaled-dot": _plain(LuongScaledDotScore),
    "luong-general": _plain(LuongGeneralScore),
    "luong-concat": _plain(LuongConcatScore),
    "luong-location": _plain(LuongLocationScore),
    "luong-local-m": Mechanism(
        LuongGeneralScore,
        "Luong et al. 2015, 3.2",
        "bilinear, in a window that moves on by one position at every step",
        "luong",
        AttentionParts(window="local-m"),
    ),
    "luong-local-p": Mechanism(
        LuongGeneralScore,
        "Luong et al. 2015, eq. 9 and 10",
        "bilinear, in a window whose center the decoder predicts, with a Gaussian around it",
        "luong",
        AttentionParts(window="local-p"),
    ),
    "location-sensitive": Mechanism(
        BahdanauScore,
        "Chorowski et al. 2015, eq. 8 and 9",
        "additive, told where the step before looked",
        "bahdanau",
        AttentionParts(location_sensitive=True),
    ),
    "bahdanau-coverage": Mechanism(
        BahdanauScore,
        "Tu et al. 2016; See et al. 2017, eq. 10 and 11",
        "additive, told how much each position has been looked at so far",
        "bahdanau",
        AttentionParts(coverage="sum"),
    ),
    "hard-monotonic": Mechanism(
        BahdanauNormedScore,
        "Raffel et al. 2017, eq. 9 to 14",
        "one position at a time, from left to right; for languages of one word order",
        "bahdanau",
        AttentionParts(monotonic="hard"),
    ),
    "mocha": Mechanism(
        BahdanauNormedScore,
        "Chiu and Raffel 2018, 2.3",
        "a few positions at a time, from left to right",
        "bahdanau",
        AttentionParts(monotonic="mocha"),
    ),
    "multi-head": Mechanism(
        LuongScaledDotScore,
        "Vaswani et al. 2017, 3.2.2; Chen et al. 2018",
        "four scaled dot products at once, each in a subspace of its own",
        "luong",
        AttentionParts(heads=4),
    ),
}

_SHORT = {
    "additive": "bahdanau",
    "dot": "luong-dot",
    "scaled-dot": "luong-scaled-dot",
    "general": "luong-general",
    "concat": "luong-concat",
    "location": "luong-location",
}
"""Other names of scores, as they are called when a mechanism is written out in parts."""


def register_attention(name: str, cls: AttentionClass) -> None:
    """Make ``cls`` known as ``name``: to configurations, checkpoints and the command line.

    Most mechanisms are a :class:`Score`. One that changes another of the three steps is an
    :class:`Attention`, made with the same three sizes.

    Raises:
        ConfigError: if the name is taken by another class, is not in lower case letters,
            digits and hyphens, or ``cls`` is neither of the two.
    """
    _register(name, cls)


def _register(name: str, cls: object) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ConfigError(f"attention name {name!r}: use lower case letters, digits and hyphens")
    if not (isinstance(cls, type) and issubclass(cls, (Score, Attention))):
        raise ConfigError(f"attention {name!r}: {cls!r} is no subclass of seq2seq_attn.attention.Score or Attention")
    known = _MECHANISMS.get(_SHORT.get(name, name))
    if known is not None and known != _plain(cls):
        taken = f"{known.cls.__module__}.{known.cls.__qualname__}"
        raise ConfigError(f"attention {name!r} is already {taken}; choose another name")
    _MECHANISMS[name] = _plain(cls)


def attention_names() -> list[str]:
    """Return the names of all mechanisms, those of installed packages included."""
    found = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return [*_MECHANISMS, *sorted(found - _MECHANISMS.keys())]


def find_attention(name: str) -> Mechanism:
    """Look a mechanism up by name.

    Raises:
        ConfigError: if no mechanism has this name, or the package that offers it cannot be imported.
    """
    name = _SHORT.get(name, name)
    if name not in _MECHANISMS:
        for point in entry_points(group=ENTRY_POINTS):
            if point.name == name:
                _register(name, _load(point))
                break
        else:
            known = attention_names()
            raise ConfigError(
                f"model.attention: no mechanism {name!r}{did_you_mean(name, known)} (there are: {', '.join(known)}; "
                "others come with the packages that offer them)"
            )
    return _MECHANISMS[name]


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # a foreign module may raise anything while it is imported
        raise ConfigError(
            f"model.attention: {point.name!r} is offered by {point.value}, which fails to import: {error}"
        ) from error
