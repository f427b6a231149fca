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


def layer_norm(features: Vector, gain: Vector, bias: Vector) -> Vector:
    """Ba et al. 2016, eq. 15-16; torch's 1e-5 keeps the root from zero."""
    center = sum(features) / len(features)
    spread = sqrt(sum((x - center) ** 2 for x in features) / len(features) + 1e-5)
    return [g * (x - center) / spread + b for g, x, b in zip(gain, features, bias, strict=True)]


def pieces(vector: Vector, *sizes: int) -> list[Vector]:
    """The vector cut up."""
    found, begin = [], 0
    for size in sizes:
        found.append(vector[begin : begin + size])
        begin += size
    assert begin == len(vector)
    return found


def from_input_and_hidden(numbers: Numbers, inputs: Vector, hidden: Vector, *together: int) -> list[list[Vector]]:
    """W x + b and U h + b, or LN(W x) and LN(U h); gates that are normalized together come in one piece."""
    found = []
    for kind, vector in (("ih", inputs), ("hh", hidden)):
        product, bias = times(numbers[f"weight_{kind}_l0"], vector), numbers[f"bias_{kind}_l0"]
        gain = numbers.get(f"gain_{kind}_l0")
        parts = zip(pieces(product, *together), pieces(bias, *together), strict=True)
        if gain is None:
            found.append([plus(part, shift) for part, shift in parts])
        else:
            gains = pieces(gain, *together)
            found.append([layer_norm(part, g, shift) for g, (part, shift) in zip(gains, parts, strict=True)])
    return found


def lstm_step(numbers: Numbers, inputs: Vector, hidden: Vector, cell: Vector) -> tuple[Vector, Vector]:
    """One step of an LSTM by its gates (Hochreiter and Schmidhuber 1997; normalized: Ba et al. 2016, eq. 20-22)."""
    size = len(hidden)
    (from_input,), (from_hidden,) = from_input_and_hidden(numbers, inputs, hidden, 4 * size)
    gates = plus(from_input, from_hidden)
    new_cell = []
    for k in range(size):
        input_gate, forget_gate, update = sigmoid(gates[k]), sigmoid(gates[size + k]), tanh_of(gates[2 * size + k])
        new_cell.append(forget_gate * cell[k] + input_gate * update)
    shown = new_cell
    if "gain_cell_l0" in numbers:
        shown = layer_norm(new_cell, numbers["gain_cell_l0"], numbers["bias_cell_l0"])
    return [sigmoid(gates[3 * size + k]) * tanh_of(shown[k]) for k in range(size)], new_cell


def gru_step(numbers: Numbers, inputs: Vector, hidden: Vector) -> Vector:
    """One step of a GRU by its gates, as torch writes them (normalized: Ba et al. 2016, eq. 23-25)."""
    size = len(hidden)
    (gates_x, candidate_x), (gates_h, candidate_h) = from_input_and_hidden(numbers, inputs, hidden, 2 * size, size)
    new_hidden = []
    for k in range(size):
        reset = sigmoid(gates_x[k] + gates_h[k])
        keep = sigmoid(gates_x[size + k] + gates_h[size + k])
        candidate = tanh_of(candidate_x[k] + reset * candidate_h[k])
        new_hidden.append((1.0 - keep) * candidate + keep * hidden[k])
    return new_hidden


def has_cell(numbers: Numbers) -> bool:
    """Whether these are the weights of an LSTM: four gates, where a GRU has three."""
    gates, rest = divmod(len(numbers["weight_hh_l0"]), len(numbers["weight_hh_l0"][0]))
    assert rest == 0
    assert gates in (3, 4)
    return gates == 4


def layer_step(numbers: Numbers, inputs: Vector, hidden: Vector, cell: Vector) -> tuple[Vector, Vector]:
    """One step of whichever cell the weights belong to; a GRU's cell state is empty."""
    return lstm_step(numbers, inputs, hidden, cell) if has_cell(numbers) else (gru_step(numbers, inputs, hidden), [])


def read(numbers: Numbers, sentence: list[Vector]) -> list[Vector]:
    """The hidden states of a layer that starts from zero."""
    size = len(numbers["weight_hh_l0"][0])
    hidden, cell = [0.0] * size, [0.0] * size
    states = []
    for vector in sentence:
        hidden, cell = layer_step(numbers, vector, hidden, cell)
        states.append(hidden)
    return states


class Encoded(NamedTuple):
    states: list[Vector]
    last: Vector


def encode(numbers: Numbers, sentence: list[Vector], *, residual: bool) -> Encoded:
    """Layers that read both ways where there are weights for it; residual from the second layer on."""
    inputs, last, number = sentence, [], 0
    directions = 0
    while layer := below(numbers, f"layers.{number}"):
        states = read(below(layer, "0"), inputs)
        last = states[-1]
        before, directions = directions, 1
        if backward := below(layer, "1"):
            directions = 2
            reversed_states = read(backward, inputs[::-1])
            last = last + reversed_states[-1]
            states = [left + right for left, right in zip(states, reversed_states[::-1], strict=True)]
        if residual and directions == before:
            states = [plus(state, vector) for state, vector in zip(states, inputs, strict=True)]
        inputs, number = states, number + 1
    return Encoded(inputs, last)


def bridge(
    kind: str, numbers: Numbers, encoded: Encoded, *, layers: int, size: int, cell: bool = True
) -> tuple[list[Vector], list[Vector]]:
    """First hidden and cell states of every decoder layer: tanh(W m + b) and W' m + b'."""
    cell_size = size if cell else 0
    if kind == "zero":
        return [[0.0] * size for _ in range(layers)], [[0.0] * cell_size for _ in range(layers)]
    summary = encoded.last if kind == "last" else mean(encoded.states)
    row = iter(plus(times(numbers["layer.weight"], summary), numbers["layer.bias"]))
    hidden = [[tanh_of(next(row)) for _ in range(size)] for _ in range(layers)]
    cells = [[next(row) for _ in range(cell_size)] for _ in range(layers)]
    assert next(row, None) is None
    return hidden, cells


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
    context: Vector
    output: Vector  # of the top layer


class Decoder:
    """What all orders of attending and updating share."""

    def __init__(self, numbers: Numbers, attention: Attention, *, residual: bool) -> None:
        self.numbers = numbers
        self.attention = attention
        self.residual = residual

    def start(self, hidden: list[Vector], cell: list[Vector], values: list[Vector], *, fed_size: int) -> Stands:
        return Stands(hidden, cell, [0.0] * fed_size, self.attention.start(values))

    def layer(self, number: int) -> dict[str, Any]:
        return below(self.numbers, f"stack.layers.{number}")

    def update(
        self, inputs: Vector, hidden: list[Vector], cell: list[Vector]
    ) -> tuple[Vector, list[Vector], list[Vector]]:
        """One step of all layers: the top layer's output, and the new states."""
        first = layer_step(self.layer(0), inputs, hidden[0], cell[0])
        return self.update_upper(first, hidden, cell, shared=[])

    def update_upper(
        self, lowest: tuple[Vector, Vector], hidden: list[Vector], cell: list[Vector], *, shared: Vector
    ) -> tuple[Vector, list[Vector], list[Vector]]:
        """One step of all layers but the lowest, which has made its own."""
        new_hidden, new_cell = [lowest[0]], [lowest[1]]
        inputs = lowest[0]
        for number in range(1, len(hidden)):
            h, c = layer_step(self.layer(number), inputs + shared, hidden[number], cell[number])
            new_hidden.append(h)
            new_cell.append(c)
            inputs = plus(h, inputs) if self.residual else h
        return inputs, new_hidden, new_cell

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        raise NotImplementedError


class LuongDecoder(Decoder):
    """s_t = LSTM([y; feed], s_t-1), c_t = attend(s_t), tanh(W [c_t; s_t]) (2015, eq. 5 and section 3.3)."""

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        output, hidden, cell = self.update(embedded + state.feed, state.hidden, state.cell)
        context, weights, attention = self.attention.look(output, values, state.attention)
        features = tanh(times(self.numbers["combine.weight"], context + output))
        stands = Stands(hidden, cell, features if state.feed else [], attention)
        return Wrote(features, weights, stands, context, output)


class BahdanauDecoder(Decoder):
    """c_t = attend(s_t-1), s_t = LSTM([y; c_t], s_t-1), tanh(W [c_t; s_t; y]) (2015, appendix A.2.2)."""

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        context, weights, attention = self.attention.look(state.hidden[-1], values, state.attention)
        output, hidden, cell = self.update(embedded + context, state.hidden, state.cell)
        features = tanh(times(self.numbers["readout.weight"], context + output + embedded))
        return Wrote(features, weights, Stands(hidden, cell, state.feed, attention), context, output)


class ConditionalDecoder(Decoder):
    """s' = GRU_1(y, s_t-1), c_t = attend(s'), s_t = GRU_2(c_t, s'), tanh(W_1 s_t + W_2 y + W_3 c_t).

    Sennrich et al. 2017, section 2; the three matrices stand side by side in one, in the order c, s, y.
    """

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        between = layer_step(self.layer(0), embedded, state.hidden[0], state.cell[0])
        context, weights, attention = self.attention.look(between[0], values, state.attention)
        second = below(self.numbers, "second")
        lowest = layer_step(second, context, *between) if second else between
        output, hidden, cell = self.update_upper(lowest, state.hidden, state.cell, shared=[])
        sizes = len(context), len(output), len(embedded)
        matrices = zip(*(pieces(row, *sizes) for row in self.numbers["readout.weight"]), strict=True)
        sums = [times(matrix, part) for matrix, part in zip(matrices, (context, output, embedded), strict=True) if part]
        return Wrote(tanh(plus(*sums)), weights, Stands(hidden, cell, [], attention), context, output)


class GNMTDecoder(Decoder):
    """The lowest layer reads [y; c_t-1] and asks; all others read c_t besides; the top is read out as it is.

    Wu et al. 2016, section 3, with the newest context for the upper layers. What is added as a residual has no
    context in it.
    """

    def step(self, embedded: Vector, values: list[Vector], state: Stands) -> Wrote:
        lowest = layer_step(self.layer(0), embedded + state.feed, state.hidden[0], state.cell[0])
        context, weights, attention = self.attention.look(lowest[0], values, state.attention)
        output, hidden, cell = self.update_upper(lowest, state.hidden, state.cell, shared=context)
        matrix = self.numbers.get("project.weight")
        features = output if matrix is None else times(matrix, output)
        return Wrote(features, weights, Stands(hidden, cell, context, attention), context, output)


DECODERS: dict[str, type[Decoder]] = {
    "luong": LuongDecoder,
    "bahdanau": BahdanauDecoder,
    "conditional": ConditionalDecoder,
    "gnmt": GNMTDecoder,
}


def generating(numbers: Numbers, wrote: Wrote, embedded: Vector) -> float:
    """The probability of not copying: sigmoid(w_c c + w_s s + w_x x + b) (See et al. 2017, eq. 8)."""
    parts = (("context", wrote.context), ("state", wrote.output), ("embedding", embedded))
    energy = sum(dot(numbers[f"{name}.weight"][0], vector) for name, vector in parts)
    return sigmoid(energy + numbers["embedding.bias"][0])


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
    layers = 0
    while decoder.layer(layers):
        layers += 1
    lowest = decoder.layer(0)
    size, cell = len(lowest["weight_hh_l0"][0]), has_cell(lowest)
    first = bridge(built.bridge, below(numbers, "bridge"), encoded, layers=layers, size=size, cell=cell)
    feeds = built.wiring == "gnmt" or (built.wiring == "luong" and built.input_feeding)
    fed_size = len(lowest["weight_ih_l0"][0]) - len(numbers["target_embedding.table.weight"][0]) if feeds else 0
    state = decoder.start(*first, encoded.states, fed_size=fed_size)
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
