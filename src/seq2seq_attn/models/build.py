"""From the configuration's model section to a model; only this and its ``build_*`` neighbors see both."""

from __future__ import annotations

from collections.abc import Callable

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build_rnn import build_rnn
from seq2seq_attn.models.build_transformer import build_transformer
from seq2seq_attn.models.ends import Embeddings, build_embeddings

ARCHITECTURES: dict[str, Callable[[ModelConfig, Embeddings], Seq2Seq]] = {
    "rnn": build_rnn,
    "transformer": build_transformer,
}


def build_model(config: ModelConfig, *, source_vocabulary: int, target_vocabulary: int, padding: int) -> Seq2Seq:
    """Make a model with fresh parameters, drawn from torch's global generator.

    Args:
        config: the model section.
        source_vocabulary: number of source tokens.
        target_vocabulary: number of target tokens.
        padding: id of the padding token.

    Raises:
        ConfigError: if the attention is unknown or its sizes do not fit.
    """
    embeddings = build_embeddings(
        config, source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary, padding=padding
    )
    return ARCHITECTURES[config.architecture](config, embeddings)
