"""Every attention mechanism again, in plain Python: one sentence without padding, one query at a time.

A mechanism is named as ``specs.py`` names it: ``bahdanau+coverage=sum``. What it is made of is looked up
in the tables at the end; a part that is missing there fails a test.
"""

from __future__ import annotations

from math import fsum, sqrt
from typing import Any, NamedTuple

from plain import Numbers, Vector, below, dot, plus, softmax, tanh, times
from specs import Spec, parse

# --- scores ------------------------------------------------------------------------------------------


class Score:
    """Energies; ``extra`` is what a history adds to the key, and zeros without one."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def key_size(self, value_size: int) -> int:
        return value_size

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        raise NotImplementedError


class Bahdanau(Score):
    """e_ij = v . tanh(W s + U h_j + b + extra)."""

    def key_size(self, value_size: int) -> int:
        return len(self.numbers["key_layer.weight"])

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        w, u = self.numbers["query_layer.weight"], self.numbers["key_layer.weight"]
        hidden = tanh(plus(times(w, query), times(u, value), self.numbers["key_layer.bias"], extra))
        return dot(self.direction(), hidden)

    def direction(self) -> Vector:
        return self.numbers["energy_layer.weight"][0]


class BahdanauNormed(Bahdanau):
    """e_ij = g v / |v| . tanh(W s + U h_j + b + extra)."""

    def direction(self) -> Vector:
        v, g = self.numbers["energy_layer.weight"][0], self.numbers["scale"]
        return [g * x / sqrt(dot(v, v)) for x in v]


class LuongDot(Score):
    """e_ij = s . (h_j + extra)."""

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        return dot(query, plus(value, extra))


class LuongScaledDot(LuongDot):
    """e_ij = s . (h_j + extra) / sqrt(size)."""

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        return super().energy(query, value, position, extra) / sqrt(len(query))


class LuongGeneral(Score):
    """e_ij = s . (W h_j + extra), where W is what is learned over the square root of its rows."""

    def key_size(self, value_size: int) -> int:
        return len(self.numbers["key_layer.weight"])

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        key = times(self.numbers["key_layer.weight"], value)
        return dot(query, key) / sqrt(len(query)) + dot(query, extra)


class LuongConcat(Score):
    """e_ij = v . tanh(W [s; h_j] + extra), with W in one piece as the paper has it."""

    def key_size(self, value_size: int) -> int:
        return len(self.numbers["key_layer.weight"])

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        halves = zip(self.numbers["query_layer.weight"], self.numbers["key_layer.weight"], strict=True)
        w = [of_query + of_value for of_query, of_value in halves]
        return dot(self.numbers["energy_layer.weight"][0], tanh(plus(times(w, query + value), extra)))


# --- normalizers -------------------------------------------------------------------------------------


def softmax_of(energies: Vector) -> Vector:
    return softmax(energies)


# --- windows -----------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """Which positions a window leaves, and what their normalized weights are multiplied by."""

    allowed: list[bool]
    factors: Vector


class Window:
    """``step`` counts the decoder steps from 0."""

    def __init__(self, numbers: Numbers, size: int) -> None:
        self.numbers = numbers
        self.size = size

    def see(self, query: Vector, length: int, step: int) -> Seen:
        raise NotImplementedError


class Global(Window):
    def see(self, query: Vector, length: int, step: int) -> Seen:
        return Seen([True] * length, [1.0] * length)


# --- histories ---------------------------------------------------------------------------------------


class History:
    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def start(self, values: list[Vector]) -> Any:
        raise NotImplementedError

    def extra(self, values: list[Vector], state: Any) -> list[Vector]:
        """What is added to each key."""
        raise NotImplementedError

    def update(self, query: Vector, weights: Vector, values: list[Vector], state: Any) -> Any:
        raise NotImplementedError


class Location(History):
    """f_i = F * a_i-1 (Chorowski et al. 2015, eq. 8), U f_ij added to the key (eq. 9)."""

    def start(self, values: list[Vector]) -> Any:
        return [0.0] * len(values)

    def extra(self, values: list[Vector], state: Any) -> list[Vector]:
        filters = [row[0] for row in self.numbers["filters"]]
        middle = len(filters[0]) // 2
        found = []
        for j in range(len(values)):
            near = [(k, j + k - middle) for k in range(len(filters[0]))]
            features = [fsum(f[k] * state[p] for k, p in near if 0 <= p < len(state)) for f in filters]
            found.append(times(self.numbers["layer.weight"], features))
        return found

    def update(self, query: Vector, weights: Vector, values: list[Vector], state: Any) -> Any:
        return weights


# --- put together ------------------------------------------------------------------------------------


class Look(NamedTuple):
    context: Vector
    weights: Vector
    state: Any


class Attention:
    """One mechanism over one sentence; ``state`` is whatever it remembers of the steps before."""

    def start(self, values: list[Vector]) -> Any:
        return None

    def look(self, query: Vector, values: list[Vector], state: Any) -> Look:
        raise NotImplementedError


class Nothing(Attention):
    """The decoder never looks back (Sutskever et al. 2014)."""

    def look(self, query: Vector, values: list[Vector], state: Any) -> Look:
        return Look([], [0.0] * len(values), state)


class Stands(NamedTuple):
    """What a mechanism remembers: the steps made, its histories, and where a monotonic one stood."""

    step: int
    histories: list[Any]
    alignment: Any


def weighted_mean(weights: Vector, values: list[Vector]) -> Vector:
    return [fsum(a * value[k] for a, value in zip(weights, values, strict=True)) for k in range(len(values[0]))]


class Composed(Attention):
    """Score, window, normalize, average."""

    def __init__(self, numbers: Numbers, spec: Spec) -> None:
        parts = spec.parts
        self.score = SCORES[spec.score](below(numbers, "score"))
        self.normalize = NORMALIZERS[parts.normalize or "softmax"]
        self.temperature = parts.temperature or 1.0
        self.window = WINDOWS[parts.window or "global"](below(numbers, "window"), parts.window_size or 10)
        kinds = [COVERAGES[parts.coverage]] if parts.coverage not in (None, "none") else []
        kinds += [Location] if parts.location_sensitive else []
        self.histories = [kind(below(numbers, f"histories.{number}")) for number, kind in enumerate(kinds)]

    def start(self, values: list[Vector]) -> Any:
        return Stands(0, [history.start(values) for history in self.histories], self.start_alignment(values))

    def start_alignment(self, values: list[Vector]) -> Any:
        return None

    def look(self, query: Vector, values: list[Vector], state: Any) -> Look:
        energies = self.energies(query, values, state)
        seen = self.window.see(query, len(values), state.step)
        aligned, alignment = self.align(energies, query, values, seen.allowed, state.alignment)
        weights = [a * factor for a, factor in zip(aligned, seen.factors, strict=True)]
        pairs = zip(self.histories, state.histories, strict=True)
        histories = [history.update(query, weights, values, past) for history, past in pairs]
        return Look(weighted_mean(weights, values), weights, Stands(state.step + 1, histories, alignment))

    def energies(self, query: Vector, values: list[Vector], state: Any) -> Vector:
        nothing = [0.0] * self.score.key_size(len(values[0]))
        extras = [h.extra(values, past) for h, past in zip(self.histories, state.histories, strict=True)]
        return [
            self.score.energy(query, value, j, plus(nothing, *(extra[j] for extra in extras)))
            for j, value in enumerate(values)
        ]

    def align(
        self, energies: Vector, query: Vector, values: list[Vector], allowed: list[bool], state: Any
    ) -> tuple[Vector, Any]:
        weights = iter(self.normalize([e / self.temperature for e, a in zip(energies, allowed, strict=True) if a]))
        return [next(weights) if a else 0.0 for a in allowed], state


class MultiHead(Attention):
    """Each head attends with its own rows of the projections; contexts side by side, weights averaged."""

    def __init__(self, numbers: Numbers, spec: Spec) -> None:
        self.numbers = numbers
        self.heads = spec.parts.heads or 1
        self.inner = _one_head(below(numbers, "inner"), spec)
        if not isinstance(self.inner, Composed):
            raise TypeError("a head is put together from parts")

    def project(self, layer: str, vector: Vector, head: int) -> Vector:
        whole = times(self.numbers[f"{layer}.weight"], vector)
        size = len(whole) // self.heads
        return whole[head * size : (head + 1) * size]

    def values(self, values: list[Vector], head: int) -> Pairs:
        return Pairs(
            [self.project("key_layer", value, head) for value in values],
            [self.project("value_layer", value, head) for value in values],
        )

    def start(self, values: list[Vector]) -> Any:
        return [self.inner.start(self.values(values, head).averaged) for head in range(self.heads)]

    def look(self, query: Vector, values: list[Vector], state: Any) -> Look:
        looks = []
        for head in range(self.heads):
            own = self.values(values, head)
            found = self.inner.look(self.project("query_layer", query, head), own.compared, state[head])
            looks.append(found._replace(context=weighted_mean(found.weights, own.averaged)))
        mean = [fsum(column) / self.heads for column in zip(*(look.weights for look in looks), strict=True)]
        return Look([x for look in looks for x in look.context], mean, [look.state for look in looks])


class Pairs(NamedTuple):
    compared: list[Vector]
    averaged: list[Vector]


def _one_head(numbers: Numbers, spec: Spec) -> Attention:
    if spec.score == "none":
        return Nothing()
    monotonic = spec.parts.monotonic or "none"
    return (Composed if monotonic == "none" else MONOTONIC[monotonic])(numbers, spec)


def attention_of(name: str, numbers: Numbers) -> Attention:
    """The mechanism that ``name`` of ``specs.py`` means, with these parameters."""
    spec = parse(name)
    return MultiHead(numbers, spec) if (spec.parts.heads or 1) > 1 else _one_head(numbers, spec)


SCORES: dict[str, type[Score]] = {
    "bahdanau": Bahdanau,
    "bahdanau-normed": BahdanauNormed,
    "luong-dot": LuongDot,
    "luong-scaled-dot": LuongScaledDot,
    "luong-general": LuongGeneral,
    "luong-concat": LuongConcat,
}

NORMALIZERS = {"softmax": softmax_of}

WINDOWS: dict[str, type[Window]] = {"global": Global}

COVERAGES: dict[str, type[History]] = {}

MONOTONIC: dict[str, type[Composed]] = {}
