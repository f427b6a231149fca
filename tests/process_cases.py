"""What each of several processes does in a test; started by ``command_server``, which has no pytest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.errors import Seq2SeqError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.objectives.base import Lost, Objective
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.ranks import Ranks, join
from seq2seq_attn.training.updater import Updater

RARE = 16  # the token that only the last sentence of a batch has


class Struck(Objective):
    """Goes wrong at one sentence: its loss is no number, or there is no memory for it among others or at all.

    Args:
        what: ``nan``, ``split`` or ``memory``.
        sentence: its number.
    """

    def __init__(self, what: str, sentence: int) -> None:
        self.what = what
        self.sentence = sentence
        self.inner = LikelihoodObjective(0.1)

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return what the batch costs, if nothing goes wrong."""
        is_there = self.sentence in batch.indices.tolist()
        if is_there and (self.what == "memory" or (self.what == "split" and batch.size > 1)):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        lost = self.inner(model, batch, step)
        return lost._replace(total=lost.total * torch.nan) if is_there and self.what == "nan" else lost


def model() -> Seq2Seq:
    torch.manual_seed(5)
    tree = {
        "embedding_size": 5,
        "tie_embeddings": "none",
        "dropout": 0.0,
        "encoder": {"hidden_size": 3},
        "decoder": {"hidden_size": 7},
    }
    return build_model(
        ModelConfig.model_validate(tree), source_vocabulary=RARE + 1, target_vocabulary=17, padding=0
    ).double()


def batch(size: int) -> Batch:
    """Sentences of very unequal lengths."""
    chance = np.random.default_rng(11)
    sides = [[chance.integers(4, RARE, chance.integers(1, 9)) for _ in range(size)] for _ in range(2)]
    sides[0][-1][:] = RARE
    return collate(*sides, list(range(size)))


def step(ranks: Ranks, what: str, sentence: int) -> dict[str, Any]:
    """Make one step of plain gradient descent; return all that came of it."""
    learner = model()
    updater = Updater(
        learner,
        torch.optim.SGD(learner.parameters(), lr=1.0),
        device=torch.device("cpu"),
        precision=Precision(torch.float32, "for the test"),
        objective=Struck(what, sentence),
        clip_norm=0.5,
        ranks=ranks,
    )
    batches = [batch(7), batch(1)]
    try:
        result = updater.update(batches, 1.0)
    except Seq2SeqError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    found = {
        "parameters": torch.nn.utils.parameters_to_vector(learner.parameters()).tolist(),
        "likelihood": float(result.likelihood),
        "norm": float(result.gradient_norm),
        "tokens": result.tokens,
        "skipped": bool(result.skipped),
        "splits": result.splits,
        "finite": updater.loss_is_finite(batches),
    }
    with torch.no_grad():
        learner.get_parameter("source_embedding.table.weight")[RARE] = torch.nan
    return {**found, "finite without a word": updater.loss_is_finite(batches[:1])}


def steps(folder: str) -> None:
    """Make steps in which things go wrong; write what came of them."""
    ranks = join()
    cases = [("nothing", 99), ("nan", 1), ("nan", 6), ("split", 3), ("memory", 1), ("memory", 2)]
    found = {f"{what} {sentence}": step(ranks, what, sentence) for what, sentence in cases}
    (Path(folder) / f"{ranks.number}.json").write_text(json.dumps(found), encoding="utf-8")
    ranks.wait()


def talk(folder: str) -> None:
    """Say everything that can be said; write what came back."""
    ranks = join()
    tensor = torch.arange(3.0) + ranks.number
    ranks.sum(tensor)
    copied = torch.full((2,), float(ranks.number))
    ranks.copy([copied])
    found: dict[str, Any] = {
        "sum": tensor.tolist(),
        "copy": copied.tolist(),
        "add": ranks.add([1, ranks.number]),
        "largest": ranks.largest(10 - ranks.number),
        "any": [ranks.any(ranks.number == 1), ranks.any(False)],
        "gather": ranks.gather(str(ranks.number)),
        "first": ranks.first(lambda: ranks.number, patient=True),
        "together": ranks.together(lambda: ranks.number),
    }

    def fail() -> None:
        if ranks.number == ranks.size - 1:
            raise Seq2SeqError("wrong here")

    for name, attempt in (("first fails", lambda: ranks.first(_wrong)), ("last fails", lambda: ranks.together(fail))):
        try:
            attempt()
        except Seq2SeqError as error:
            found[name] = [type(error).__name__, str(error), error.exit_status]
    (Path(folder) / f"{ranks.number}.json").write_text(json.dumps(found), encoding="utf-8")
    ranks.wait()


def _wrong() -> None:
    raise Seq2SeqError("wrong in the first")
