"""Parts of a configuration in words."""

from __future__ import annotations

from seq2seq_attn.config.model import AttentionConfig, ModelConfig


def describe_attention(model: ModelConfig) -> str:
    """Write the mechanism in one line: ``luong-general, normalize sparsemax, heads 4``."""
    if model.architecture == "transformer":
        return f"multi-head, heads {model.transformer.heads}"
    if not isinstance(model.attention, AttentionConfig):
        return model.attention
    parts = model.attention.model_dump(exclude_none=True, exclude={"score"})
    return ", ".join([model.attention.score, *(f"{key} {value}" for key, value in parts.items())])
