"""What search itself costs a step, over numpy's arrays and over torch's, with a model that hands out ready numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from seq2seq_attn.decoding import BeamSearch, GreedySearch, LengthLimit, Search, StepModel
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.runtime import Precision

from .machine import describe_machine

PAD, BOS, EOS = 0, 1, 2
SOURCE_LEN = 20
TABLES = 3  # that are handed out in turns


class Plan(NamedTuple):
    """What is measured."""

    rows: Sequence[int]
    vocabulary: int
    beam_size: int
    steps: int
    rounds: int


class Ready:
    """A model that computes nothing: no hypothesis ends, and its state is itself."""

    def __init__(self, tables: Sequence[Array], weights: Array) -> None:
        self._tables = tables
        self._weights = weights
        self._given = 0

    def start(self, source: Array, source_lengths: Array) -> Ready:
        """Return the state, which never changes."""
        return self

    def select(self, rows: Array) -> Ready:
        """Return the state of any rows."""
        return self

    def step(self, tokens: Array, state: Ready) -> tuple[Array, Array, Ready]:
        """Hand out the next table."""
        self._given += 1
        rows = len(tokens)
        return self._tables[self._given % len(self._tables)][:rows], self._weights[:rows], self


def measure(plan: Plan) -> dict[str, object]:
    """Time both kinds in turns, in CPU time of one thread.

    Raises:
        ConfigError: if a number makes no sense.
    """
    for name, number in [("--steps", plan.steps), ("--rounds", plan.rounds), *(("--rows", rows) for rows in plan.rows)]:
        if number < 1:
            raise ConfigError(f"{name} {number}: has to be 1 or more")
    torch.set_num_threads(1)
    limit = LengthLimit(ratio=0, extra=plan.steps)
    found = []
    for rows in plan.rows:
        searches: list[tuple[int, Search]] = [
            (1, GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=limit)),
            (plan.beam_size, BeamSearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=limit, beam_size=plan.beam_size)),
        ]
        found += [_compare(search, rows, size, plan) for size, search in searches]
    precision = Precision(torch.float32, "as the numbers are")
    return {"machine": describe_machine(torch.device("cpu"), precision), "plan": plan._asdict(), "searches": found}


def format_table(found: dict[str, Any]) -> str:
    """Return the result for people."""
    lines = [f"{'rows':>6}  {'beam':>4}  {'torch ms/step':>13}  {'numpy ms/step':>13}  {'numpy / torch':>13}"]
    lines += [
        f"{one['rows']:>6}  {one['beam_size']:>4}  {one['torch']:>13.3f}  {one['numpy']:>13.3f}  {one['ratio']:>13.2f}"
        for one in found["searches"]
    ]
    return "\n".join(lines)


def _compare(search: Search, rows: int, beam_size: int, plan: Plan) -> dict[str, object]:
    sentences = max(rows // beam_size, 1)
    random = np.random.default_rng(rows)
    logits = random.normal(0, 2, (TABLES, sentences * beam_size, plan.vocabulary))
    tables = (logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))).astype(np.float32)
    tables[:, :, EOS] = -30
    weights = np.full((sentences * beam_size, SOURCE_LEN), 1 / SOURCE_LEN, np.float32)
    source = np.full((sentences, SOURCE_LEN), 5)
    lengths = np.full(sentences, SOURCE_LEN)
    kinds: dict[str, Callable[[np.ndarray], Array]] = {"torch": torch.from_numpy, "numpy": lambda array: array}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for place in range(plan.rounds + 1):
        for kind, of_kind in kinds.items():
            model: StepModel[Ready] = Ready([of_kind(table) for table in tables], of_kind(weights))
            begin = time.process_time()
            search(model, of_kind(source), of_kind(lengths))
            if place:  # the first round warms up
                times[kind].append(1000 * (time.process_time() - begin) / plan.steps)
    ratios = [own / other for own, other in zip(times["numpy"], times["torch"], strict=True)]
    least = {kind: min(taken) for kind, taken in times.items()}
    return {"rows": sentences * beam_size, "beam_size": beam_size, **least, "ratio": median(ratios)}
