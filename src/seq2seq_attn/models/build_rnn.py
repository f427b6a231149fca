"""The recurrent encoder-decoder from its configuration."""

from __future__ import annotations

from seq2seq_attn.attention import Attention, AttentionParts, build_attention, find_attention
from seq2seq_attn.config.schema import AttentionConfig, ModelConfig
from seq2seq_attn.models.ends import Embeddings, build_dropout, build_output
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.bridge import Bridge
from seq2seq_attn.nn.decoder import BahdanauDecoder, Decoder, LuongDecoder
from seq2seq_attn.nn.encoder import LSTMEncoder
from seq2seq_attn.nn.lstm import LSTMStack


def build_rnn(config: ModelConfig, embeddings: Embeddings) -> RNNSeq2Seq:
    """Make encoder, bridge and decoder between the two ends."""
    encoder = LSTMEncoder(
        input_size=config.embedding_size,
        hidden_size=config.encoder.hidden_size,
        num_layers=config.encoder.layers,
        bidirectional=config.encoder.bidirectional,
        residual=config.encoder.residual,
        dropout=build_dropout(config, config.dropout.state),
    )
    bridge = Bridge(
        config.bridge,
        value_size=encoder.output_size,
        hidden_size=config.decoder.hidden_size,
        num_layers=config.decoder.layers,
    )
    decoder = _build_decoder(config, value_size=encoder.output_size)
    return RNNSeq2Seq(
        source_embedding=embeddings.source,
        target_embedding=embeddings.target,
        encoder=encoder,
        bridge=bridge,
        decoder=decoder,
        output=build_output(config, features=decoder.attentional_size, target=embeddings.target),
        embedding_dropout=build_dropout(config, config.dropout.embedding),
        output_dropout=build_dropout(config, config.dropout.output),
    )


def _attention_parts(config: ModelConfig) -> AttentionConfig:
    """Write a name alone out as its parts."""
    attention = config.attention
    return attention if isinstance(attention, AttentionConfig) else AttentionConfig(score=attention)


def _build_decoder(config: ModelConfig, *, value_size: int) -> Decoder:
    size = config.decoder.hidden_size
    parts = _attention_parts(config)
    attention: Attention = build_attention(
        parts.score,
        AttentionParts(**parts.model_dump(exclude={"score", "hidden_size"})),
        query_size=size,
        value_size=value_size,
        hidden_size=parts.hidden_size or size,
    )
    wiring = config.decoder.wiring or find_attention(parts.score).wiring
    # an output layer that shares the embeddings reads vectors of their size
    attentional_size = size if config.tie_embeddings == "none" else config.embedding_size
    if wiring == "bahdanau":
        fed_size = attention.context_size
    else:
        fed_size = attentional_size if config.decoder.input_feeding else 0
    stack = LSTMStack(
        known_size=config.embedding_size,
        fed_size=fed_size,
        hidden_size=size,
        num_layers=config.decoder.layers,
        residual=config.decoder.residual,
        dropout=build_dropout(config, config.dropout.state),
    )
    if wiring == "bahdanau":
        return BahdanauDecoder(
            attention=attention,
            stack=stack,
            attentional_size=attentional_size,
            state_size=size,
            embedding_size=config.embedding_size,
        )
    return LuongDecoder(attention=attention, stack=stack, attentional_size=attentional_size, state_size=size)
