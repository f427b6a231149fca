"""The Transformer again (Vaswani et al. 2017), in plain Python: one sentence, one position after the other.

Shares nothing with the package but numbers; see ``references.py``.
"""

from __future__ import annotations

from math import cos, fsum, sin, sqrt

from plain import Numbers, Vector, below, dot, log_softmax, mean, plus, softmax, times

HeadWeights = list[list[Vector]]
"""Of every head, for every query, over the positions looked at."""


def position(number: int, size: int) -> Vector:
    """Section 3.5: PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same."""
    wave = []
    for feature in range(size):
        angle = number / 10000 ** ((feature - feature % 2) / size)
        wave.append(cos(angle) if feature % 2 else sin(angle))
    return wave


def attend(
    numbers: Numbers, heads: int, queries: list[Vector], memory: list[Vector], *, causal: bool = False
) -> tuple[list[Vector], HeadWeights]:
    """Section 3.2: every head by itself, their contexts side by side, and a matrix over that."""
    share = len(queries[0]) // heads
    contexts: list[Vector] = [[] for _ in queries]
    all_weights: HeadWeights = []
    for head in range(heads):
        rows = slice(head * share, (head + 1) * share)
        keys = [times(numbers["key_layer.weight"][rows], state) for state in memory]
        values = [times(numbers["value_layer.weight"][rows], state) for state in memory]
        all_weights.append([])
        for number, state in enumerate(queries):
            query = times(numbers["query_layer.weight"][rows], state)
            seen = number + 1 if causal else len(memory)
            weights = softmax([dot(query, key) / sqrt(share) for key in keys[:seen]])
            contexts[number] += [dot(weights, column) for column in zip(*values[:seen], strict=True)]
            all_weights[-1].append(weights + [0.0] * (len(memory) - seen))
    return [times(numbers["output_layer.weight"], context) for context in contexts], all_weights


def normalize(numbers: Numbers, state: Vector) -> Vector:
    """Layer normalization (Ba et al. 2016); nothing where there are no parameters."""
    if not numbers:
        return state
    center = fsum(state) / len(state)
    spread = sqrt(fsum((x - center) ** 2 for x in state) / len(state) + 1e-5)
    return [(x - center) / spread * w + b for x, w, b in zip(state, numbers["weight"], numbers["bias"], strict=True)]


def feed_forward(numbers: Numbers, state: Vector) -> Vector:
    """Equation 2."""
    inner = plus(times(numbers["inner.weight"], state), numbers["inner.bias"])
    return plus(times(numbers["outer.weight"], [max(0.0, x) for x in inner]), numbers["outer.bias"])


def before(numbers: Numbers, norm: str, states: list[Vector]) -> list[Vector]:
    return [normalize(below(numbers, "norm"), state) for state in states] if norm == "pre" else states


def after(numbers: Numbers, norm: str, states: list[Vector], found: list[Vector]) -> list[Vector]:
    sums = [plus(state, more) for state, more in zip(states, found, strict=True)]
    return [normalize(below(numbers, "norm"), state) for state in sums] if norm == "post" else sums


def transform(layer: Numbers, norm: str, states: list[Vector]) -> list[Vector]:
    """The feed-forward sub-layer and what stands around it."""
    around = below(layer, "feed_forward_residual")
    found = [feed_forward(below(layer, "feed_forward"), state) for state in before(around, norm, states)]
    return after(around, norm, states, found)


def encode(numbers: Numbers, heads: int, norm: str, states: list[Vector]) -> tuple[list[Vector], list[HeadWeights]]:
    number, seen = 0, []
    while layer := below(numbers, f"layers.{number}"):
        around = below(layer, "attention_residual")
        read = before(around, norm, states)
        found, weights = attend(below(layer, "attention"), heads, read, read)
        states = transform(layer, norm, after(around, norm, states, found))
        seen.append(weights)
        number += 1
    return [normalize(below(numbers, "norm"), state) for state in states], seen


def decode(
    numbers: Numbers, heads: int, norm: str, states: list[Vector], memory: list[Vector]
) -> tuple[list[Vector], list[HeadWeights], list[HeadWeights], list[list[Vector]]]:
    """The features, the weights of all layers over target and source, and what was found in the source."""
    number, seen_target, seen_source, contexts = 0, [], [], []
    while layer := below(numbers, f"layers.{number}"):
        around = below(layer, "self_residual")
        read = before(around, norm, states)
        found, weights = attend(below(layer, "self_attention"), heads, read, read, causal=True)
        states = after(around, norm, states, found)
        seen_target.append(weights)
        around = below(layer, "cross_residual")
        found, weights = attend(below(layer, "cross_attention"), heads, before(around, norm, states), memory)
        states = transform(layer, norm, after(around, norm, states, found))
        seen_source.append(weights)
        contexts.append(found)
        number += 1
    return [normalize(below(numbers, "norm"), state) for state in states], seen_target, seen_source, contexts


def embed(table: list[Vector], tokens: list[int]) -> list[Vector]:
    size = len(table[0])
    return [plus([x * sqrt(size) for x in table[token]], position(number, size)) for number, token in enumerate(tokens)]


def translate_forced(
    numbers: Numbers, source: list[int], target_in: list[int], *, heads: int, norm: str, alignment_layer: int
) -> tuple[list[Vector], list[Vector]]:
    """Log-probabilities of every next token, and the mean weights of the alignment layer."""
    memory, _ = encode(below(numbers, "encoder"), heads, norm, embed(numbers["source_embedding.table.weight"], source))
    embedded = embed(numbers["target_embedding.table.weight"], target_in)
    features, _, seen, _ = decode(below(numbers, "decoder"), heads, norm, embedded, memory)
    logits = [plus(times(numbers["output.weight"], state), numbers["output.bias"]) for state in features]
    weights = [mean(list(rows)) for rows in zip(*seen[alignment_layer - 1], strict=True)]
    return [log_softmax(row) for row in logits], weights
