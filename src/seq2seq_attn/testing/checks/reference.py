"""Are the energies those of the paper?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.testing.inputs import LENGTHS, TARGET_LEN, gap, inputs_of
from seq2seq_attn.testing.report import broken, skip
from seq2seq_attn.testing.subject import Subject

Reference = Callable[[Mapping[str, Any], Sequence[float], Sequence[Sequence[float]]], Sequence[float]]
"""From parameters as nested lists, one query and the values of one sentence to one energy for each value."""

TOLERANCE = 1e-12


def has_a_score(subject: Subject) -> bool:
    """Tell whether the mechanism has energies that can be compared."""
    return isinstance(subject.new(), ScoredAttention)


def energies_are_those_of(subject: Subject, reference: Reference | None) -> None:
    """Every energy is that of the reference, within 1e-12 of the largest."""
    if reference is None:
        skip("no reference was given")
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    assert isinstance(attention, ScoredAttention)
    score = attention.score
    parameters = {name: tensor.tolist() for name, tensor in score.state_dict().items()}
    with torch.no_grad():
        found = score(inputs.queries, score.project(inputs.values))
    for row, length in enumerate(LENGTHS):
        values = inputs.values[row, :length].tolist()
        for step in range(TARGET_LEN):
            wanted = inputs.values.new_tensor(reference(parameters, inputs.queries[row, step].tolist(), values))
            if difference := gap("energies", found[row, step, :length], wanted, TOLERANCE):
                broken(
                    f"for query {step} of sentence {row}, {difference}",
                    "one of the two is not the paper's equation; find out which",
                )
