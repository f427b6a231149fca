"""The record of a search: cheap to write at every step, read once at the end."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.protocol import Hypothesis


class Paths(NamedTuple):
    """A finished record in the memory of the machine, ready to be followed from a last token back to the first."""

    num_roots: int
    parents: list[int]
    tokens: list[int]
    log_probs: list[float]
    rows: list[int]
    weights: Float[Array, "total_rows source_len"]

    def hypothesis(self, node: int, *, eos: int, source_length: int, score: float | None = None) -> Hypothesis:
        """Return the hypothesis that ends with the token of ``node``; it scores ``log_prob`` if nothing else."""
        path = []
        while node >= self.num_roots:
            path.append(node - self.num_roots)
            node = self.parents[path[-1]]
        path.reverse()
        tokens = [self.tokens[step] for step in path]
        finished = bool(tokens) and tokens[-1] == eos
        token_log_probs = tuple(self.log_probs[step] for step in path)
        log_prob = math.fsum(token_log_probs)
        rows = arrays.array([self.rows[step] for step in path], like=self.weights, dtype="int64")
        return Hypothesis(
            tokens=tuple(tokens[:-1] if finished else tokens),
            log_prob=log_prob,
            score=log_prob if score is None else score,
            finished=finished,
            weights=self.weights[rows, :source_length],
            token_log_probs=token_log_probs,
        )


class Trellis:
    """Tokens that point to the tokens before them, so that no step copies a history.

    A node is known by its number. The first ones are the roots, one per
    sentence, which stand for no token.

    Args:
        num_roots: sentences.
        like: an array of the kind of those to come.
    """

    def __init__(self, num_roots: int, *, like: Array) -> None:
        self.roots = arrays.arange(num_roots, like=like)
        self._num_nodes = num_roots
        self._num_rows = 0
        self._parents: list[Array] = []
        self._tokens: list[Array] = []
        self._log_probs: list[Array] = []
        self._rows: list[Array] = []
        self._weights: list[Array] = []

    def grow(
        self,
        *,
        parents: Int[Array, " nodes"],
        tokens: Int[Array, " nodes"],
        log_probs: Float[Array, " nodes"],
        rows: Int[Array, " nodes"],
        weights: Float[Array, "rows source_len"],
    ) -> Int[Array, " nodes"]:
        """Add the tokens of one step and return the numbers of their nodes.

        Args:
            parents: the nodes that they continue.
            tokens: what they are.
            log_probs: what each adds to the log-probability of its hypothesis.
            rows: the row of ``weights`` with which each was predicted.
            weights: attention of this step, one row per hypothesis that the model extended.
        """
        nodes = arrays.arange(len(tokens), start=self._num_nodes, like=tokens)
        self._parents.append(parents)
        self._tokens.append(tokens)
        self._log_probs.append(log_probs)
        self._rows.append(rows + self._num_rows)
        self._weights.append(weights)
        self._num_nodes += len(tokens)
        self._num_rows += len(weights)
        return nodes

    def paths(self) -> Paths:
        """Move the record to the memory of the machine, once; at least one step must have been added."""
        return Paths(
            num_roots=len(self.roots),
            parents=arrays.concat(self._parents).tolist(),
            tokens=arrays.concat(self._tokens).tolist(),
            log_probs=arrays.concat(self._log_probs).tolist(),
            rows=arrays.concat(self._rows).tolist(),
            weights=arrays.on_host(arrays.concat(self._weights)),
        )
