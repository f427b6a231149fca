"""Attention mechanisms, known by name.

The built-in ones stand in the tables below. Another package adds its own with
:func:`register_attention`, or without being imported first, with an entry point in the
group ``seq2seq_attn.attention``.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points

from torch import nn

from seq2seq_attn.attention.base import (
    Attended,
    Attention,
    AttentionState,
    Memory,
    NoAttention,
    Score,
    ScoredAttention,
    Wiring,
)
from seq2seq_attn.attention.normalizers import Softmax
from seq2seq_attn.attention.scores import BahdanauScore, LuongConcatScore, LuongDotScore, LuongGeneralScore
from seq2seq_attn.errors import ConfigError, did_you_mean

__all__ = [
    "Attended",
    "Attention",
    "AttentionState",
    "Memory",
    "Score",
    "Wiring",
    "attention_class",
    "attention_names",
    "build_attention",
    "register_attention",
]

AttentionClass = type[Score] | type[Attention]

ENTRY_POINTS = "seq2seq_attn.attention"

_MECHANISMS: dict[str, AttentionClass] = {
    "none": NoAttention,
    "bahdanau": BahdanauScore,
    "luong-dot": LuongDotScore,
    "luong-general": LuongGeneralScore,
    "luong-concat": LuongConcatScore,
}

_NORMALIZERS: dict[str, type[nn.Module]] = {"softmax": Softmax}

_WINDOWS = ("global",)


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
    known = _MECHANISMS.get(name)
    if known is not None and known is not cls:
        taken = f"{known.__module__}.{known.__qualname__}"
        raise ConfigError(f"attention {name!r} is already {taken}; choose another name")
    _MECHANISMS[name] = cls


def attention_names() -> list[str]:
    """Return the names of all mechanisms, those of installed packages included."""
    found = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return [*_MECHANISMS, *sorted(found - _MECHANISMS.keys())]


def attention_class(name: str) -> AttentionClass:
    """Look a mechanism up by name.

    Raises:
        ConfigError: if no mechanism has this name, or the package that offers it cannot be imported.
    """
    if name not in _MECHANISMS:
        for point in entry_points(group=ENTRY_POINTS):
            if point.name == name:
                _register(name, _load(point))
                break
        else:
            known = attention_names()
            raise ConfigError(
                f"model.attention: no mechanism {name!r}{did_you_mean(name, known)} (there are: {', '.join(known)})"
            )
    return _MECHANISMS[name]


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # a foreign module may raise anything while it is imported
        raise ConfigError(
            f"model.attention: {point.name!r} is offered by {point.value}, which fails to import: {error}"
        ) from error


def build_attention(
    score: str,
    *,
    normalize: str = "softmax",
    window: str = "global",
    query_size: int,
    value_size: int,
    hidden_size: int,
) -> Attention:
    """Make a mechanism from its parts.

    Args:
        score: a name of :func:`attention_names`.
        normalize: how energies become weights.
        window: which source positions are looked at.
        query_size: features of the decoder state.
        value_size: features of an encoder state.
        hidden_size: features of the layer inside the score, where it has one.

    Raises:
        ConfigError: if a name is unknown or the sizes do not fit.
    """
    cls = attention_class(score)
    if normalize not in _NORMALIZERS:
        raise ConfigError(
            f"model.attention.normalize: no {normalize!r}{did_you_mean(normalize, _NORMALIZERS)} "
            f"(there are: {', '.join(_NORMALIZERS)})"
        )
    if window not in _WINDOWS:
        raise ConfigError(
            f"model.attention.window: no {window!r}{did_you_mean(window, _WINDOWS)} (there are: {', '.join(_WINDOWS)})"
        )
    made = cls(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
    return ScoredAttention(made, _NORMALIZERS[normalize]()) if isinstance(made, Score) else made
