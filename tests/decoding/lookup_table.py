"""A model that is a table of probabilities, and searches over it written without tensors.

Everything here is plain Python on purpose: it shares no code with what it checks.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_attn.decoding import Step

PAD, BOS, EOS, VOCAB = 0, 4, 2, 5  # 1 and 3 are words; the end is neither the first nor the last token
WORDS = (1, 3)
Prefix = tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """Log-probabilities of the next token after any prefix, different for every sentence."""

    seed: int
    values: tuple[float, ...] | None = None  # only these, so that many hypotheses tie exactly
    impossible: float = 0.0  # share of tokens of probability 0

    @cache  # noqa: B019 - lives as long as one test
    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        rng = random.Random(f"{self.seed} {sentence} {prefix}")
        if self.values is not None:
            row = [rng.choice(self.values) for _ in range(VOCAB)]
        else:
            masses = [rng.gammavariate(0.5, 1.0) + 1e-9 for _ in range(VOCAB)]
            row = [math.log(mass / sum(masses)) for mass in masses]
        row = [-math.inf if rng.random() < self.impossible else value for value in row]
        row[PAD] = row[BOS] = -0.01  # tempting, and forbidden
        return tuple(row)

    def weights(self, sentence: int, prefix: Prefix, source_length: int) -> list[float]:
        rng = random.Random(f"weights {self.seed} {sentence} {prefix}")
        masses = [rng.random() + 0.1 for _ in range(source_length)]
        return [mass / sum(masses) for mass in masses]


class Row(NamedTuple):
    sentence: int
    source_length: int
    prefix: Prefix


@dataclass(frozen=True)
class TableState:
    rows: tuple[Row, ...]
    source_len: int

    def select(self, rows: Tensor) -> TableState:
        return TableState(tuple(self.rows[row] for row in rows.tolist()), self.source_len)


class TableModel:
    """The first source token is the number of the sentence; the rest only has a length."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows_per_step: list[int] = []

    def start(self, source: Tensor, source_lengths: Tensor) -> TableState:
        pairs = zip(source[:, 0].tolist(), source_lengths.tolist(), strict=True)
        return TableState(tuple(Row(sentence, length, ()) for sentence, length in pairs), source.shape[1])

    def step(self, tokens: Tensor, state: TableState) -> Step:
        fed = zip(state.rows, tokens.tolist(), strict=True)
        rows = [row if token == BOS else row._replace(prefix=(*row.prefix, token)) for row, token in fed]
        self.rows_per_step.append(len(rows))
        log_probs = [self.table.log_probs(row.sentence, row.prefix) for row in rows]
        weights = torch.zeros(len(rows), state.source_len, dtype=torch.float64)
        for i, row in enumerate(rows):
            weights[i, : row.source_length] = torch.tensor(
                self.table.weights(row.sentence, row.prefix, row.source_length), dtype=torch.float64
            )
        log_probs_tensor = torch.tensor(log_probs, dtype=torch.float64)
        return Step(log_probs_tensor, weights, TableState(tuple(rows), state.source_len))


def batch(sentences: list[int], lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Source sentences of these numbers and lengths, padded to the longest."""
    source = torch.full((len(sentences), max(lengths)), PAD)
    for i, (sentence, length) in enumerate(zip(sentences, lengths, strict=True)):
        source[i, :length] = 1
        source[i, 0] = sentence
    return source, torch.tensor(lengths)
