"""Small Transformers for tests; the sizes of ``building.py`` do not fit, as heads have to divide them."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path
from typing import Any

import torch
from building import PAD, SOURCE_VOCABULARY, TARGET_VOCABULARY, randomize
from command_server import shared_commands
from tiny import write_config

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.models.build import build_model
from seq2seq_attn.models.transformer import TransformerSeq2Seq

SIZE, HEADS, INSIDE = 15, 3, 7
ENCODER_LAYERS, DECODER_LAYERS = 2, 3


def transformer_config(norm: str = "pre", **changes: Any) -> ModelConfig:
    """A configuration; changes of ``transformer`` are merged with what it holds."""
    sizes = {
        "encoder_layers": ENCODER_LAYERS,
        "decoder_layers": DECODER_LAYERS,
        "heads": HEADS,
        "feed_forward_size": INSIDE,
        "norm": norm,
        **changes.pop("transformer", {}),
    }
    settings = {
        "architecture": "transformer",
        "embedding_size": SIZE,
        "tie_embeddings": "none",
        "dropout": 0.0,
        "transformer": sizes,
        **changes,
    }
    return ModelConfig.model_validate(settings)


def small_transformer(
    norm: str = "pre",
    *,
    seed: int = 1,
    dtype: torch.dtype = torch.float64,
    vocabulary: tuple[int, int] = (SOURCE_VOCABULARY, TARGET_VOCABULARY),
    **changes: Any,
) -> TransformerSeq2Seq:
    """A Transformer with random numbers for parameters, in evaluation mode."""
    model = build_model(
        transformer_config(norm, **changes),
        source_vocabulary=vocabulary[0],
        target_vocabulary=vocabulary[1],
        padding=PAD,
    )
    assert isinstance(model, TransformerSeq2Seq)
    randomize(model, seed, scale=0.5)
    return model.to(dtype).eval()


TINY = {
    "model.architecture": "transformer",
    "model.embedding_size": 32,
    "model.dropout": 0.0,
    "model.encoder": {},
    "model.decoder": {},
    "model.transformer": {"encoder_layers": 2, "decoder_layers": 3, "heads": 4, "feed_forward_size": 64},
    "training.max_epochs": 10,
    "training.batch_sentences": 16,
    "training.optimizer": {"learning_rate": 0.005},
    "training.schedule": {"kind": "cosine", "warmup_steps": 20},
    "training.validate_every": 40,
}
"""What makes a Transformer that has learned something of the task of ``tiny.py`` in two seconds."""


@functools.cache
def trained_transformer() -> Path:
    """Train the one run that all tests read and none may change; return its folder."""
    scratch = tempfile.TemporaryDirectory(prefix="transformer-")
    atexit.register(scratch.cleanup)
    folder = Path(scratch.name)
    done = shared_commands()("train", write_config(folder, TINY), "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"
