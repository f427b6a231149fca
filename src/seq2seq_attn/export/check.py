"""An export compares its graphs with the model before anybody gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD
from seq2seq_attn.errors import TrainingError
from seq2seq_attn.exported.manifest import Manifest
from seq2seq_attn.exported.session import OnnxModel, OnnxStep
from seq2seq_attn.models.base import ModelStep, Seq2Seq

LENGTHS = (11, 4, 1, 7)  # of the sentences compared; no size that the graphs were traced with
KEPT = ((0, 1, 2, 3), (3, 0, 0, 2, 1, 1), (1, 1, 3, 0, 2), (0, 0, 4))  # rows that go on after each step
TOLERANCE = 1e-4
LIKELY = 1e-4
"""Probabilities below this one are compared as they are: the last digits of their logarithms mean little."""

INT8_SHARE = 0.5
"""Whole numbers may move a probability, but the distributions stay alike: most of their mass is common."""


class WrongExport(TrainingError):  # noqa: N818 - what happened
    """A graph does not compute what the model does."""


def check_graphs(model: Seq2Seq, folder: Path, manifest: Manifest) -> None:
    """Run both on a few sentences, with rows that come, go and change places.

    Raises:
        WrongExport: if their numbers differ.
    """
    graph = OnnxModel(folder, manifest)
    source, lengths = _sentences(manifest.vocabulary["source"])
    theirs: Any = graph.start(source, lengths)
    with torch.no_grad():
        ours = model.start(torch.from_numpy(source), torch.from_numpy(lengths))
        tokens = np.full(len(lengths), BOS)
        for number, kept in enumerate(KEPT):
            rows = np.array(kept)
            ours, theirs = ours.select(torch.from_numpy(rows)), theirs.select(rows)
            tokens = tokens[rows]
            wanted = model.step(torch.from_numpy(tokens), ours)
            found = graph.step(tokens, theirs)
            _compare(number, found, wanted, manifest.precision)
            ours, theirs = wanted.state, found.state
            tokens = wanted.log_probs.argmax(1).numpy() if number % 2 else (tokens + 5) % manifest.vocabulary["target"]


def _sentences(vocabulary: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(1)
    source = np.full((len(LENGTHS), max(LENGTHS)), PAD)
    for row, length in zip(source, LENGTHS, strict=True):
        row[: length - 1] = generator.integers(min(EOS + 1, vocabulary - 1), vocabulary, length - 1)
        row[length - 1] = EOS
    return source, np.array(LENGTHS)


def _compare(step: int, found: OnnxStep, wanted: ModelStep, precision: str) -> None:
    probabilities, weights = wanted.log_probs.exp().numpy(), wanted.weights.numpy()
    if found.log_probs.shape != probabilities.shape or found.weights.shape != weights.shape:
        raise WrongExport(
            f"step {step} of the graph gives {found.log_probs.shape} and {found.weights.shape} numbers, but the model "
            f"{probabilities.shape} and {weights.shape}"
        )
    if precision == "int8":
        common = float(np.minimum(np.exp(found.log_probs), probabilities).sum(1).min(initial=1.0))
        if not common >= INT8_SHARE:
            raise WrongExport(f"step {step} of the int8 graph shares {common:.0%} of the model's probability only")
        return
    likely = np.abs(found.log_probs - wanted.log_probs.numpy())[probabilities > LIKELY].max(initial=0.0)
    differences = {
        "probabilities": np.abs(np.exp(found.log_probs) - probabilities).max(initial=0.0),
        "log-probabilities": likely,
        "weights": np.abs(found.weights - weights).max(initial=0.0),
    }
    for what, difference in differences.items():
        if not difference <= TOLERANCE:
            raise WrongExport(f"step {step} of the graph gives {what} that differ from the model's by {difference:.2g}")
