"""The promises of every mechanism, and the equations of this one."""

from __future__ import annotations

from math import exp, fsum, sqrt
from typing import Any

from cosine_attention import CosineScore

from seq2seq_attn.testing import check_attention


def dot(left: list[float], right: list[float]) -> float:
    """Multiply and add up, without rounding on the way."""
    return fsum(a * b for a, b in zip(left, right, strict=True))


def energies(parameters: dict[str, Any], query: list[float], values: list[list[float]]) -> list[float]:
    """Graves et al. 2014, equations 5 and 6."""
    keys = [[dot(row, value) for row in parameters["key_layer.weight"]] for value in values]
    strength = exp(parameters["log_strength"])
    return [strength * dot(query, key) / sqrt(dot(query, query) * dot(key, key)) for key in keys]


def test_it_keeps_every_promise() -> None:
    """Run the conformance kit, with the equations beside it."""
    check_attention(CosineScore, reference=energies)


def test_it_is_known_by_its_name() -> None:
    """Find it as a configuration does, by its entry point."""
    assert check_attention("cosine").mechanism == "cosine"
