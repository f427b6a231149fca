"""The two ends of every model: embeddings where tokens go in, and the output layer."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.nn.initialize import initialize_output
from seq2seq_attn.products.linear import Linear


class Embeddings(NamedTuple):
    """Vectors of source and target tokens; one module where all embeddings are tied."""

    source: TokenEmbedding
    target: TokenEmbedding


def build_embeddings(
    config: ModelConfig, *, source_vocabulary: int, target_vocabulary: int, padding: int
) -> Embeddings:
    """Make fresh embeddings."""
    source = TokenEmbedding(source_vocabulary, config.embedding_size, padding=padding)
    if config.tie_embeddings == "all":
        return Embeddings(source, source)
    return Embeddings(source, TokenEmbedding(target_vocabulary, config.embedding_size, padding=padding))


def build_output(config: ModelConfig, *, features: int, target: TokenEmbedding) -> nn.Linear:
    """Make the output layer over the target vocabulary, with the embeddings' weights where they are tied."""
    output = Linear(features, target.table.num_embeddings)
    initialize_output(output)
    if config.tie_embeddings != "none":
        output.weight = target.table.weight
    return output


def build_dropout(config: ModelConfig, probability: float) -> SequenceDropout:
    """Make dropout for one of its places."""
    return SequenceDropout(probability, variational=config.dropout.variational)
