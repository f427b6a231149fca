"""The papers' equations again, in plain Python: nested lists and loops over one sentence, no tensors.

Shares nothing with the package but numbers: parameters come in as nested lists under the names that
the modules give them, and a sentence has no padding here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from math import tanh as tanh_of
from typing import Any, NamedTuple

from attention_references import Attention, attention_of
from plain import Numbers, Vector, below, dot, log_softmax, mean, plus, sigmoid, tanh, times

# --- recurrent layers --------------------------------------------------------------------------------


def lstm_step(numbers: Numbers, inputs: Vector, hidden: Vector, cell: Vector) -> tuple[Vector, Vector]:
    """One step of an LSTM by its gates (Hochreiter and Schmidhuber 1997, with forget gates)."""
    from_input = times(numbers["weight_ih_l0"], inputs)
    from_hidden = times(numbers["weight_hh_l0"], hidden)
    gates = plus(from_input, from_hidden, numbers["bias_ih_l0"], numbers["bias_hh_l0"])
    size = len(hidden)
    new_hidden, new_cell = [], []
    for k in range(size):
        input_gate, forget_gate = sigmoid(gates[k]), sigmoid(gates[size + k])
        update, output_gate = tanh_of(gates[2 * size + k]), sigmoid(gates[3 * size + k])
        c = forget_gate * cell[k] + input_gate * update
        new_cell.append(c)
        new_hidden.append(output_gate * tanh_of(c))
    return new_hidden, new_cell


def read(numbers: Numbers, sentence: list[Vector]) -> list[Vector]:
    """The hidden states of an LSTM that starts from zero."""
    size = len(numbers["weight_hh_l0"][0])
    hidden, cell = [0.0] * size, [0.0] * size
    states = []
    for vector in sentence:
        hidden, cell = lstm_step(numbers, vector, hidden, cell)
        states.append(hidden)
    return states


class Encoded(NamedTuple):
    states: list[Vector]
    last: Vector


def encode(numbers: Numbers, sentence: list[Vector], *, residual: bool) -> Encoded:
    """Layers that read both ways where there are weights for it; residual from the second layer on."""
    inputs, last, number = sentence, [], 0
    while layer := below(numbers, f"layers.{number}"):
        states = read(below(layer, "0"), inputs)
        last = states[-1]
        if backward := below(layer, "1"):
            reversed_states = read(backward, inputs[::-1])
            last = last + reversed_states[-1]
            states = [left + right for left, right in zip(states, reversed_states[::-1], strict=True)]
        if residual and number > 0:
            states = [plus(state, vector) for state, vector in zip(states, inputs, strict=True)]
        inputs, number = states, number + 1
    return Encoded(inputs, last)


def bridge(
    kind: str, numbers: Numbers, encoded: Encoded, *, layers: int, size: int
) -> tuple[list[Vector], list[Vector]]:
    """First hidden and cell states of every decoder layer: tanh(W m + b) and W' m + b'."""
    if kind == "zero":
        zeros = [[0.0] * size for _ in range(layers)]
        return zeros, zeros
    summary = encoded.last if kind == "last" else mean(encoded.states)
    row = iter(plus(times(numbers["layer.weight"], summary), numbers["layer.bias"]))
    hidden = [[tanh_of(next(row)) for _ in range(size)] for _ in range(layers)]
    cell = [[next(row) for _ in range(size)] for _ in range(layers)]
    return hidden, cell


# --- decoders ----------------------------------------------------------------------------------------


class Stands(NamedTuple):
    """Where a decoder stands between two steps."""

    hidden: list[Vector]
    cell: list[Vector]
    feed: Vector
    attention: Any


class Wrote(NamedTuple):
    features: Vector
    weights: Vector
    state: Stands


class Decoder:
    """What both orders of attending and updating share."""

    def __init__(self, numbers: Numbers, attention: Attention, *, residual: bool) -> None:
        self.numbers = numbers
        self.attention = attention
        self.residual = residual

    def start(self, hidden: list[Vector], cell: list[Vector], values: list[Vector], *, fed_size: int) -> Stands:
        return Stands(hidden, cell, [0.0] * fed_size, self.attention.start(values))

    def update(
        self, inputs: Vector, hidden: list[Vector], cell: list[Vector]
    ) -> tuple[Vector, list[Vector], list[Vector]]:
        """One step of all layers: the top layer's output, and the new states."""
        new_hidden, new_cell = [], []
        for number in range(len(hidden)):
            layer = below(self.numbers, f"stack.layers.{number}")
            h, c = lstm_step(layer, inputs, hidden[number], cell[number])
            new_hidden.append(h)
            new_cell.append(c)
            inputs = plus(h, inputs) if self.residual and number > 0 else h
        return inputs, new_hidden, new_cell

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        raise NotImplementedError


class LuongDecoder(Decoder):
    """s_t = LSTM([y; feed], s_t-1), c_t = attend(s_t), tanh(W [c_t; s_t]) (2015, eq. 5 and section 3.3)."""

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        output, hidden, cell = self.update(embedded + state.feed, state.hidden, state.cell)
        context, weights, attention = self.attention.look(output, values, state.attention)
        features = tanh(times(self.numbers["combine.weight"], context + output))
        return Wrote(features, weights, Stands(hidden, cell, features if state.feed else [], attention))


class BahdanauDecoder(Decoder):
    """c_t = attend(s_t-1), s_t = LSTM([y; c_t], s_t-1), tanh(W [c_t; s_t; y]) (2015, appendix A.2.2)."""

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        context, weights, attention = self.attention.look(state.hidden[-1], values, state.attention)
        output, hidden, cell = self.update(embedded + context, state.hidden, state.cell)
        features = tanh(times(self.numbers["readout.weight"], context + output + embedded))
        return Wrote(features, weights, Stands(hidden, cell, state.feed, attention))


DECODERS: dict[str, type[Decoder]] = {"luong": LuongDecoder, "bahdanau": BahdanauDecoder}


# --- the whole model ---------------------------------------------------------------------------------


class Built(NamedTuple):
    """The choices that parameters alone do not show."""

    attention: str
    wiring: str
    input_feeding: bool
    bridge: str = "mean"
    encoder_residual: bool = False
    decoder_residual: bool = False


def embed(table: list[Vector], tokens: Sequence[int]) -> list[Vector]:
    """Rows of the table, scaled by the square root of their size."""
    return [[sqrt(len(table[token])) * x for x in table[token]] for token in tokens]


def translate_forced(
    numbers: Numbers, built: Built, source: Sequence[int], target_in: Sequence[int]
) -> tuple[list[Vector], list[Vector]]:
    """Log-probabilities and weights at every position of a given target, for one sentence."""
    embedded = embed(numbers["source_embedding.table.weight"], source)
    encoded = encode(below(numbers, "encoder"), embedded, residual=built.encoder_residual)
    own = below(numbers, "decoder")
    attention = attention_of(built.attention, below(own, "attention"))
    decoder = DECODERS[built.wiring](own, attention, residual=built.decoder_residual)
    recurrent = [value for name, value in own.items() if name.endswith("weight_hh_l0")]
    hidden, cell = bridge(
        built.bridge, below(numbers, "bridge"), encoded, layers=len(recurrent), size=len(recurrent[0][0])
    )
    feeds = built.wiring == "luong" and built.input_feeding
    state = decoder.start(hidden, cell, encoded.states, fed_size=len(own["combine.weight"]) if feeds else 0)
    log_probs, weights = [], []
    for vector in embed(numbers["target_embedding.table.weight"], target_in):
        wrote = decoder.step(vector, encoded.states, state)
        state = wrote.state
        logits = plus(times(numbers["output.weight"], wrote.features), numbers["output.bias"])
        log_probs.append(log_softmax(logits))
        weights.append(wrote.weights)
    return log_probs, weights


def smoothed_loss(log_probs: Vector, target: int, smoothing: float) -> float:
    """Cross-entropy against the target mixed with the uniform distribution (Szegedy et al. 2016, section 7)."""
    vocabulary = len(log_probs)
    wanted = [smoothing / vocabulary + (1.0 - smoothing) * (token == target) for token in range(vocabulary)]
    return -dot(wanted, log_probs)
