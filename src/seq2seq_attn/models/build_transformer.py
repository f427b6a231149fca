"""The Transformer from its configuration."""

from __future__ import annotations

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.models.ends import Embeddings, build_dropout, build_output
from seq2seq_attn.models.transformer import TransformerSeq2Seq
from seq2seq_attn.nn.pointer import CopyGate
from seq2seq_attn.nn.transformer.decoder import TransformerDecoder
from seq2seq_attn.nn.transformer.encoder import TransformerEncoder
from seq2seq_attn.nn.transformer.layers import LayerSettings


def build_transformer(config: ModelConfig, embeddings: Embeddings) -> TransformerSeq2Seq:
    """Make encoder and decoder between the two ends.

    Raises:
        ConfigError: if the heads do not divide the features, or there is no such alignment layer.
    """
    sizes = config.transformer
    settings = LayerSettings(
        size=config.embedding_size,
        heads=sizes.heads,
        feed_forward_size=sizes.feed_forward_size,
        norm=sizes.norm,
        dropout=build_dropout(config, config.dropout.state),
    )
    copy_gate = None
    if config.copying:
        copy_gate = CopyGate(context_size=settings.size, state_size=settings.size, embedding_size=settings.size)
    decoder = TransformerDecoder(
        sizes.decoder_layers, settings, alignment_layer=sizes.alignment_layer, copy_gate=copy_gate
    )
    return TransformerSeq2Seq(
        source_embedding=embeddings.source,
        target_embedding=embeddings.target,
        encoder=TransformerEncoder(sizes.encoder_layers, settings),
        decoder=decoder,
        output=build_output(config, features=config.embedding_size, target=embeddings.target),
        embedding_dropout=build_dropout(config, config.dropout.embedding),
        output_dropout=build_dropout(config, config.dropout.output),
    )
