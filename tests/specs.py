"""Names for mechanisms with parts, such as ``bahdanau+coverage=sum``, and the list of those that tests go through.

The list is made from the package's own tables, so a new mechanism, normalizer, window, coverage or monotonic
attention is in it without a word here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from seq2seq_attn.attention import AttentionParts, attention_names, find_attention
from seq2seq_attn.attention.history import COVERAGES
from seq2seq_attn.attention.mechanisms import _MECHANISMS
from seq2seq_attn.attention.monotonic import MONOTONIC
from seq2seq_attn.attention.normalizers import NORMALIZERS
from seq2seq_attn.attention.windows import WINDOWS


class Spec(NamedTuple):
    """A score by its own name, and all parts that the mechanism has."""

    score: str
    parts: AttentionParts


def written(name: str) -> dict[str, Any]:
    """The ``attention`` section that a configuration would hold: ``{"score": ..., "coverage": ...}``."""
    score, *choices = name.split("+")
    parts: dict[str, Any] = {"score": score}
    for choice in choices:
        key, value = choice.split("=")
        kind = {"temperature": float, "window_size": int, "chunk_size": int, "heads": int}.get(key, str)
        parts[key] = True if value == "true" else kind(value)
    return parts


def given(name: str) -> AttentionParts:
    """The parts that the name itself adds."""
    return AttentionParts(**{key: value for key, value in written(name).items() if key != "score"})


def parse(name: str) -> Spec:
    """Say what a name stands for, preset and all."""
    mechanism = find_attention(name.split("+")[0])
    score = next(known for known, other in _MECHANISMS.items() if other.cls is mechanism.cls)
    return Spec(score, given(name).over(mechanism.parts))


def _combinations() -> list[str]:
    names = [f"luong-general+normalize={kind}" for kind in NORMALIZERS if kind != "softmax"]
    names += ["luong-general+temperature=0.5", "luong-concat+window_size=2+window=local-m"]
    names += [f"{score}+window={kind}+window_size=1" for kind in WINDOWS for score in ("bahdanau", "luong-dot")]
    names += [f"{score}+coverage={kind}" for kind in COVERAGES for score in ("bahdanau", "luong-general")]
    names += ["luong-dot+location_sensitive=true", "bahdanau-normed+coverage=sum+location_sensitive=true"]
    for kind in MONOTONIC:
        names += [f"luong-general+monotonic={kind}", f"bahdanau+monotonic={kind}+coverage=sum"]
        names += [f"luong-scaled-dot+monotonic={kind}+heads=2"]
    names += [
        "bahdanau+heads=2",
        "luong-location+heads=2",
        "multi-head+normalize=sparsemax+coverage=sum",
        "multi-head+heads=2+window=local-p",
    ]
    names += ["luong-concat+normalize=entmax-1.5+window=local-p+window_size=2+coverage=fertility"]
    return [name for name in names if _known(name)]


def _known(name: str) -> bool:
    """Whether the parts that ``name`` speaks of exist."""
    parts = given(name)
    return (
        (parts.normalize in (None, *NORMALIZERS))
        and (parts.window in (None, *WINDOWS))
        and (parts.coverage in (None, *COVERAGES))
        and (parts.monotonic in (None, *MONOTONIC))
    )


NAMES = attention_names()
COMBINATIONS = _combinations()
SPECS = NAMES + COMBINATIONS
