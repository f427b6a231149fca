"""Models and batches that objectives are tested on: recurrent and Transformer, copying and not."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.objectives.base import Objective
from seq2seq_attn.training.updater import StepResult, Updater

VOCABULARY = 13
RNN = {"embedding_size": 5, "tie_embeddings": "none", "encoder": {"hidden_size": 3}, "decoder": {"hidden_size": 7}}
MODELS: dict[str, dict[str, Any]] = {
    "luong": RNN,
    "unfed": {**RNN, "decoder": {"hidden_size": 7, "input_feeding": False}},
    "bahdanau": {**RNN, "attention": "bahdanau"},
    "conditional": {**RNN, "decoder": {"hidden_size": 7, "wiring": "conditional"}},
    "gnmt": {**RNN, "decoder": {"hidden_size": 7, "layers": 2, "wiring": "gnmt"}},
    "none": {**RNN, "attention": "none"},
    "copying": {**RNN, "copying": True},
    "tied": {**RNN, "tie_embeddings": "all"},
    "transformer": {
        "architecture": "transformer",
        "embedding_size": 6,
        "tie_embeddings": "none",
        "transformer": {"encoder_layers": 1, "decoder_layers": 2, "heads": 2, "feed_forward_size": 7},
    },
    "copying-transformer": {
        "architecture": "transformer",
        "embedding_size": 6,
        "tie_embeddings": "none",
        "copying": True,
        "transformer": {"encoder_layers": 1, "decoder_layers": 2, "heads": 2, "feed_forward_size": 7},
    },
}


def make_model(name: str, *, dropout: float = 0.0, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> Seq2Seq:
    torch.manual_seed(5)
    config = ModelConfig.model_validate({**MODELS[name], "dropout": dropout})
    model = build_model(config, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY, padding=0).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3 * scale)
    return model.train()


def make_batch(count: int = 4, *, seed: int = 1, longest: int = 5) -> Batch:
    chance = random.Random(seed)
    sources = [[chance.randrange(4, VOCABULARY) for _ in range(chance.randint(1, longest))] for _ in range(count)]
    targets = [[chance.randrange(4, VOCABULARY) for _ in range(chance.randint(1, longest))] for _ in range(count)]
    gold = np.zeros((count, max(map(len, targets)) + 1, max(map(len, sources)) + 1), dtype=np.float32)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        for position in range(len(target)):
            gold[row, position, chance.randrange(len(source))] = 1.0
    return collate(sources, targets, range(count), alignment=gold)


def padded(batch: Batch, extra: int = 3) -> Batch:
    """The same sentences with more padding."""

    def wide(tensor: Tensor, *more: int) -> Tensor:
        return torch.nn.functional.pad(tensor, more)

    return Batch(
        source=wide(batch.source, 0, extra),
        source_lengths=batch.source_lengths,
        target_in=wide(batch.target_in, 0, extra),
        target_out=wide(batch.target_out, 0, extra),
        target_lengths=batch.target_lengths,
        indices=batch.indices,
        target_tokens=batch.target_tokens,
        alignment=None if batch.alignment is None else wide(batch.alignment, 0, extra, 0, extra),
    )


def gradient_of(model: Seq2Seq, total: Tensor) -> Tensor:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    parts = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
    return torch.cat([part.flatten() for part in parts])


def step(
    model: Seq2Seq, batches: list[Batch], objective: Objective, *, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, StepResult]:
    """Make a step of plain gradient descent at rate 1; return the gradient it followed."""
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=99.0),
        device=torch.device("cpu"),
        precision=Precision(dtype, "for the test"),
        objective=objective,
        clip_norm=None,
    )
    result = updater.update(batches, 1.0, 7)
    with torch.no_grad():
        return before - torch.nn.utils.parameters_to_vector(model.parameters()), result
