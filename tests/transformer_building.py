"""Small Transformers for tests; the sizes of ``building.py`` do not fit, as heads have to divide them."""

from __future__ import annotations

from typing import Any

import torch
from building import PAD, SOURCE_VOCABULARY, TARGET_VOCABULARY, randomize

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
    settings = {"architecture": "transformer", "embedding_size": SIZE, "dropout": 0.0, "transformer": sizes, **changes}
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
