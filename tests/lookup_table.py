"""A model that is a table of probabilities, and searches over it written without tensors.

Everything here is plain Python on purpose: it shares no code with what it checks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq_attn.decoding import BeamSearch, Hypothesis, LengthLimit, Scoring, Step
from seq2seq_attn.decoding.arrays import Array

PAD, BOS, EOS, VOCAB = 0, 4, 2, 5  # 1 and 3 are words; the end is neither the first nor the last token
WORDS = (1, 3)
Prefix = tuple[int, ...]

SENTENCES = [11, 5, 7, 2, 3]
LENGTHS = [2, 4, 1, 3, 2]
MANY = list(range(20, 70))  # what a search costs hardly depends on how many sentences it has
MANY_LENGTHS = LENGTHS * 10
TABLES = {
    "random": {},
    "early": {"eager": 1.0},
    "ties": {"values": (-2.0, -1.0, -0.5)},
    "equal": {"values": (-1.0,)},
    "gaps": {"impossible": 0.3},
}


@dataclass(frozen=True)
class Table:
    """Log-probabilities of the next token after any prefix, different for every sentence."""

    seed: int
    values: tuple[float, ...] | None = None  # only these, so that many hypotheses tie exactly
    impossible: float = 0.0  # share of tokens of probability 0
    eager: float = 0.0  # extra mass on the end of the sentence

    @cache  # noqa: B019 - lives as long as one test
    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        rng = random.Random(f"{self.seed} {sentence} {prefix}")
        if self.values is not None:
            row = [rng.choice(self.values) for _ in range(VOCAB)]
        else:
            masses = [rng.gammavariate(0.5, 1.0) + 1e-9 for _ in range(VOCAB)]
            masses[EOS] += self.eager
            row = [math.log(mass / sum(masses)) for mass in masses]
        row = [-math.inf if rng.random() < self.impossible else value for value in row]
        row[PAD] = row[BOS] = -0.01  # tempting, and forbidden
        return tuple(row)

    @cache  # noqa: B019
    def weights(self, sentence: int, prefix: Prefix, source_length: int) -> list[float]:
        rng = random.Random(f"weights {self.seed} {sentence} {prefix}")
        masses = [rng.random() + 0.1 for _ in range(source_length)]
        return [mass / sum(masses) for mass in masses]


class MixedTable(Table):
    """Five sentences of each of the ``kinds`` of tables in turn, so that one batch holds them all."""

    def __init__(self, seed: int, kinds: Iterable[str] = TABLES) -> None:
        super().__init__(seed)
        object.__setattr__(self, "tables", [Table(seed, **TABLES[kind]) for kind in kinds])

    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        return self.tables[sentence // 5 % len(self.tables)].log_probs(sentence, prefix)


class Script(Table):
    """Only what is written down can happen; everything else has probability 0."""

    def __init__(self, rows: dict[Prefix, dict[int, float]]) -> None:
        super().__init__(seed=0)
        object.__setattr__(self, "rows", rows)

    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        row = self.rows.get(prefix, {})
        return tuple(row.get(token, -math.inf) for token in range(VOCAB))


class Row(NamedTuple):
    sentence: int
    source_length: int
    prefix: Prefix


@dataclass(frozen=True)
class TableState:
    rows: tuple[Row, ...]
    source_len: int

    def select(self, rows: Array) -> TableState:
        return TableState(tuple(self.rows[row] for row in rows.tolist()), self.source_len)


class TableModel:
    """The first source token is the number of the sentence; the rest only has a length. Numpy's in, numpy's out."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows_per_step: list[int] = []

    def start(self, source: Array, source_lengths: Array) -> TableState:
        pairs = zip(source[:, 0].tolist(), source_lengths.tolist(), strict=True)
        return TableState(tuple(Row(sentence, length, ()) for sentence, length in pairs), source.shape[1])

    def step(self, tokens: Array, state: TableState) -> Step:
        fed = zip(state.rows, tokens.tolist(), strict=True)
        rows = [row if token == BOS else row._replace(prefix=(*row.prefix, token)) for row, token in fed]
        self.rows_per_step.append(len(rows))
        log_probs = [self.table.log_probs(row.sentence, row.prefix) for row in rows]
        weights = [self.table.weights(row.sentence, row.prefix, row.source_length) for row in rows]
        padded = [row + [0.0] * (state.source_len - len(row)) for row in weights]
        given = (floats_beside(numbers, tokens) for numbers in (log_probs, padded))
        return Step(*given, TableState(tuple(rows), state.source_len))


def floats_beside(numbers: list[list[float]], other: Array) -> Array:
    """Numbers as an array of the kind of another one, in double precision."""
    if isinstance(other, np.ndarray):
        return np.array(numbers)
    return torch.tensor(numbers, dtype=torch.float64, device=other.device)


def batch(sentences: list[int], lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Source sentences of these numbers and lengths, padded to the longest."""
    source = torch.full((len(sentences), max(lengths)), PAD)
    for i, (sentence, length) in enumerate(zip(sentences, lengths, strict=True)):
        source[i, :length] = 1
        source[i, 0] = sentence
    return source, torch.tensor(lengths)


class Path(NamedTuple):
    """A hypothesis as the searches below see it; ``tokens`` has the end of the sentence."""

    tokens: Prefix = ()
    log_probs: tuple[float, ...] = ()

    @property
    def finished(self) -> bool:
        return self.tokens[-1:] == (EOS,)

    def score(self, penalty: float) -> float:
        return sum(self.log_probs) / max(len(self.tokens), 1) ** penalty


def continuations(table: Table, sentence: int, path: Path) -> list[Path]:
    row = table.log_probs(sentence, path.tokens)
    allowed = [token for token in (1, EOS, 3) if row[token] > -math.inf]
    return [Path((*path.tokens, token), (*path.log_probs, row[token])) for token in allowed]


def by_total(paths: list[Path]) -> list[Path]:
    """Best first; Python's sort is stable, so equals stay in the order of what they continue."""
    return sorted(paths, key=lambda path: -sum(path.log_probs))


Score = Callable[[Path], float]


def exhaustive(
    table: Table, sentence: int, limit: int, penalty: float | Score, n_best: int, fewest: int = 0
) -> list[Path]:
    """Score every sequence there is; of equals the shorter, then the one whose beginning was better."""
    score = penalty if callable(penalty) else lambda path: path.score(penalty)
    live, finished = [Path()], []
    for length in range(1, limit + 1):
        extended = by_total([new for path in live for new in continuations(table, sentence, path)])
        finished += [path for path in extended if path.finished and length > fewest]
        live = [path for path in extended if not path.finished]
    best = sorted(finished, key=lambda path: -score(path))
    return (best + sorted(live, key=lambda path: -score(path)))[:n_best]


def narrow(
    table: Table, sentence: int, limit: int, penalty: float | Score, beam_size: int, complete: Score | None = None
) -> list[Path]:
    """Beam search as its definition says, never stopping before the limit.

    ``complete`` is the score of hypotheses that are not extended any more, where it is another one.
    """
    score = penalty if callable(penalty) else lambda path: path.score(penalty)
    complete = complete or score
    live, finished = [Path()], []
    for _ in range(limit):
        extended = by_total([new for path in live for new in continuations(table, sentence, path)])
        places = [(complete(path), path) for path in finished] + [(score(path), path) for path in extended]
        beam = [path for _, path in sorted(places, key=lambda place: -place[0])[:beam_size]]
        extended = [path for path in extended if path in beam]
        finished += [path for path in extended if path.finished]
        live = [path for path in extended if not path.finished]
    return sorted(finished, key=lambda path: -complete(path)) + sorted(live, key=lambda path: -complete(path))


def search(beam_size: int, penalty: float, *, n_best: int = 1, ratio: float = 1.0, extra: int = 1) -> BeamSearch:
    return BeamSearch(
        bos=BOS,
        eos=EOS,
        beam_size=beam_size,
        n_best=n_best,
        scoring=Scoring(length_penalty=penalty),
        limit=LengthLimit(ratio=ratio, extra=extra),
        forbidden=(PAD,),
    )


def tokens_of(hypotheses: list[Hypothesis]) -> list[Prefix]:
    return [hypothesis.tokens for hypothesis in hypotheses]
