"""Every attention mechanism again, in plain Python: one sentence without padding, one query at a time.

A mechanism is named as ``specs.py`` names it: ``bahdanau+coverage=sum``. What it is made of is looked up
in the tables at the end; a part that is missing there fails a test.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, fsum, prod, sqrt
from typing import Any, NamedTuple

from plain import Numbers, Vector, below, dot, plus, sigmoid, softmax, tanh, times
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


class LuongLocation(Score):
    """e_ij = w_j . s, where w_j is the j-th row of W; the value is not looked at."""

    def key_size(self, value_size: int) -> int:
        return 0

    def energy(self, query: Vector, value: Vector, position: int, extra: Vector) -> float:
        return dot(self.numbers["position_layer.weight"][position], query)


# --- normalizers -------------------------------------------------------------------------------------


def softmax_of(energies: Vector) -> Vector:
    return softmax(energies)


def where_the_weights_sum_to_one(weights_at: Callable[[float], Vector], low: float, high: float) -> Vector:
    """Halve the interval of the threshold until no number lies inside; the sum of weights falls as it rises."""
    while low < (middle := (low + high) / 2) < high:
        if fsum(weights_at(middle)) >= 1:
            low = middle
        else:
            high = middle
    return weights_at(low)


def sparsemax_of(energies: Vector) -> Vector:
    """a_j = max(e_j - t, 0), t by bisection: at max e - 1 the largest alone has all the weight."""
    most = max(energies)
    return where_the_weights_sum_to_one(lambda t: [max(e - t, 0.0) for e in energies], most - 1, most)


def entmax15_of(energies: Vector) -> Vector:
    """a_j = max(e_j / 2 - t, 0)^2, t by bisection."""
    most = max(energies) / 2
    return where_the_weights_sum_to_one(lambda t: [max(e / 2 - t, 0.0) ** 2 for e in energies], most - 1, most)


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


class LocalMonotonic(Window):
    """Positions t - D to t + D, those that exist; past the end of the sentence t stays on its last token."""

    def see(self, query: Vector, length: int, step: int) -> Seen:
        center = step if step < length else length - 1
        window = range(center - self.size, center + self.size + 1)
        return Seen([j in window for j in range(length)], [1.0] * length)


class LocalPredictive(Window):
    """p = (S - 1) sigmoid(v . tanh(W s)); positions p - D to p + D, times exp(-(j - p)^2 / 2 (D / 2)^2)."""

    def see(self, query: Vector, length: int, step: int) -> Seen:
        v, w = self.numbers["position_layer.weight"][0], self.numbers["hidden_layer.weight"]
        p, deviation = (length - 1) * sigmoid(dot(v, tanh(times(w, query)))), self.size / 2
        allowed = [p - self.size <= j <= p + self.size for j in range(length)]
        return Seen(allowed, [exp(-((j - p) ** 2) / (2 * deviation**2)) for j in range(length)])


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


class SumOfWeights(History):
    """c_ij = a_1j + ... + a_i-1,j, and w_c c_ij added to the key (See et al. 2017, eq. 10 and 11)."""

    def start(self, values: list[Vector]) -> Any:
        return []

    def extra(self, values: list[Vector], state: Any) -> list[Vector]:
        return [times(self.numbers["layer.weight"], [fsum(row[j] for row in state)]) for j in range(len(values))]

    def update(self, query: Vector, weights: Vector, values: list[Vector], state: Any) -> Any:
        return [*state, weights]


class Fertility(SumOfWeights):
    """c_ij = (a_1j + ... + a_i-1,j) / F_j with F_j = 2 sigmoid(U h_j) (Tu et al. 2016, 3.1)."""

    def extra(self, values: list[Vector], state: Any) -> list[Vector]:
        covered = []
        for j, value in enumerate(values):
            fertility = 2 * sigmoid(dot(self.numbers["fertility_layer.weight"][0], value))
            covered.append(fsum(row[j] for row in state) / fertility)
        return [times(self.numbers["layer.weight"], [c]) for c in covered]


class Neural(History):
    """c_ij = GRU(c_i-1,j; a_ij, h_j, s) for every position j (Tu et al. 2016, 3.2)."""

    def start(self, values: list[Vector]) -> Any:
        return [[0.0] * len(self.numbers["candidate_layer.weight"]) for _ in values]

    def extra(self, values: list[Vector], state: Any) -> list[Vector]:
        return [times(self.numbers["layer.weight"], unit) for unit in state]

    def update(self, query: Vector, weights: Vector, values: list[Vector], state: Any) -> Any:
        return [self.unit(*of_one, query) for of_one in zip(state, weights, values, strict=True)]

    def unit(self, old: Vector, weight: float, value: Vector, query: Vector) -> Vector:
        size, numbers = len(old), self.numbers
        names = ("weight_layer.weight", "value_layer.weight", "query_layer.weight")
        rows = [a + h + s for a, h, s in zip(*(numbers[name] for name in names), strict=True)]
        inputs = plus(times(rows, [weight, *value, *query]), numbers["value_layer.bias"])
        gates = plus(inputs[: 2 * size], times(numbers["gate_layer.weight"], old))
        z, r = [sigmoid(x) for x in gates[:size]], [sigmoid(x) for x in gates[size:]]
        reset = [a * b for a, b in zip(r, old, strict=True)]
        new = tanh(plus(inputs[2 * size :], times(numbers["candidate_layer.weight"], reset)))
        return [(1 - a) * b + a * c for a, b, c in zip(z, old, new, strict=True)]


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


class Monotonic(Composed):
    """The probabilities of where it stops, or with ``hard`` where it does; the state is that of the step before."""

    def __init__(self, numbers: Numbers, spec: Spec) -> None:
        super().__init__(numbers, spec)
        self.offset = numbers["offset"]
        self.hard = False

    def start_alignment(self, values: list[Vector]) -> Any:
        return [1.0] + [0.0] * (len(values) - 1)

    def align(
        self, energies: Vector, query: Vector, values: list[Vector], allowed: list[bool], state: Any
    ) -> tuple[Vector, Any]:
        stop = [sigmoid(energy + self.offset) for energy in energies]
        found = self.first(stop, state) if self.hard else self.expected(stop, state)
        return found, found

    def expected(self, stop: Vector, before: Vector) -> Vector:
        """a_ij = p_ij sum_k<=j a_i-1,k prod_l=k..j-1 (1 - p_il) (Raffel et al. 2017, eq. 9)."""
        found = []
        for j in range(len(stop)):
            ways = [before[k] * prod(1 - stop[m] for m in range(k, j)) for k in range(j + 1)]
            found.append(stop[j] * fsum(ways))
        return found

    def first(self, stop: Vector, before: Vector) -> Vector:
        """From where it stopped onwards, the first p_ij >= 1/2; nothing any more when it has run past the end."""
        found = [0.0] * len(stop)
        for j in range(before.index(1.0) if 1.0 in before else len(stop), len(stop)):
            if stop[j] >= 0.5:
                found[j] = 1.0
                break
        return found


class Mocha(Monotonic):
    """b_ij = sum_k=j..j+w-1 a_ik exp(u_ij) / sum_l=k-w+1..k exp(u_il) (Chiu and Raffel 2018)."""

    def __init__(self, numbers: Numbers, spec: Spec) -> None:
        super().__init__(numbers, spec)
        self.inside = SCORES[spec.score](below(numbers, "chunk_score"))
        self.width = spec.parts.chunk_size or 3

    def align(
        self, energies: Vector, query: Vector, values: list[Vector], allowed: list[bool], state: Any
    ) -> tuple[Vector, Any]:
        stopped, state = super().align(energies, query, values, allowed, state)
        nothing = [0.0] * self.inside.key_size(len(values[0]))
        u = [self.inside.energy(query, value, j, nothing) for j, value in enumerate(values)]
        found = []
        for j in range(len(u)):
            ends = range(j, min(j + self.width, len(u)))
            chunks = {k: range(max(k - self.width + 1, 0), k + 1) for k in ends}
            found.append(fsum(stopped[k] * exp(u[j]) / fsum(exp(u[m]) for m in chunks[k]) for k in ends))
        return found, state


class MultiHead(Attention):
    """Each head attends with its own rows of the projections; contexts side by side, weights averaged."""

    def __init__(self, numbers: Numbers, spec: Spec) -> None:
        self.numbers = numbers
        self.heads = spec.parts.heads or 1
        self.reads_keys = "key_layer.weight" in numbers
        self.inner = _one_head(below(numbers, "inner"), spec)
        if not isinstance(self.inner, Composed):
            raise TypeError("a head is put together from parts")

    def project(self, layer: str, vector: Vector, head: int) -> Vector:
        whole = times(self.numbers[f"{layer}.weight"], vector)
        size = len(whole) // self.heads
        return whole[head * size : (head + 1) * size]

    def values(self, values: list[Vector], head: int) -> Pairs:
        return Pairs(
            [self.project("key_layer", value, head) if self.reads_keys else [] for value in values],
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
    "luong-location": LuongLocation,
}

NORMALIZERS: dict[str, Callable[[Vector], Vector]] = {
    "softmax": softmax_of,
    "sparsemax": sparsemax_of,
    "entmax-1.5": entmax15_of,
}

WINDOWS: dict[str, type[Window]] = {"global": Global, "local-m": LocalMonotonic, "local-p": LocalPredictive}

COVERAGES: dict[str, type[History]] = {"sum": SumOfWeights, "fertility": Fertility, "neural": Neural}

MONOTONIC: dict[str, type[Composed]] = {"hard": Monotonic, "mocha": Mocha}
