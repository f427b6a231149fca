"""Vectors as lists of floats: what the references are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, fsum, log
from math import tanh as tanh_of
from typing import Any

Vector = list[float]
Numbers = Mapping[str, Any]
"""Parameters: name to nested lists."""


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    return fsum(a * b for a, b in zip(left, right, strict=True))


def times(matrix: Sequence[Vector], vector: Vector) -> Vector:
    return [dot(row, vector) for row in matrix]


def plus(*vectors: Sequence[float]) -> Vector:
    return [fsum(column) for column in zip(*vectors, strict=True)]


def mean(vectors: Sequence[Vector]) -> Vector:
    return [total / len(vectors) for total in plus(*vectors)]


def tanh(vector: Vector) -> Vector:
    return [tanh_of(x) for x in vector]


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))


def softmax(energies: Sequence[float]) -> Vector:
    masses = [exp(energy) for energy in energies]
    return [mass / fsum(masses) for mass in masses]


def log_softmax(logits: Sequence[float]) -> Vector:
    normalizer = log(fsum(exp(x) for x in logits))
    return [x - normalizer for x in logits]


def below(numbers: Numbers, module: str) -> dict[str, Any]:
    """The parameters of one submodule, under the names it gives them itself."""
    return {name[len(module) + 1 :]: value for name, value in numbers.items() if name.startswith(f"{module}.")}
