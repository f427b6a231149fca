"""The recurrent encoder-decoder from its configuration."""

from __future__ import annotations

from seq2seq_attn.attention import Attention, AttentionParts, build_attention, find_attention
from seq2seq_attn.config.schema import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from seq2seq_attn.models.ends import Embeddings, build_dropout, build_output
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.bridge import Bridge
from seq2seq_attn.nn.decoders import DECODERS
from seq2seq_attn.nn.decoders.base import Decoder
from seq2seq_attn.nn.encoder import RecurrentEncoder
from seq2seq_attn.nn.pointer import CopyGate
from seq2seq_attn.nn.recurrent import CELLS, NORMED_CELLS
from seq2seq_attn.nn.recurrent.base import RecurrentLayer
from seq2seq_attn.nn.recurrent.stack import RecurrentStack


def build_rnn(config: ModelConfig, embeddings: Embeddings) -> RNNSeq2Seq:
    """Make encoder, bridge and decoder between the two ends."""
    encoder = _build_encoder(config)
    bridge = Bridge(
        config.bridge,
        value_size=encoder.output_size,
        hidden_size=config.decoder.hidden_size,
        num_layers=config.decoder.layers,
        has_cell=_layer(config.decoder).has_cell,
    )
    decoder = _build_decoder(config, value_size=encoder.output_size)
    model = RNNSeq2Seq(
        source_embedding=embeddings.source,
        target_embedding=embeddings.target,
        encoder=encoder,
        bridge=bridge,
        decoder=decoder,
        output=build_output(config, features=decoder.attentional_size, target=embeddings.target),
        embedding_dropout=build_dropout(config, config.dropout.embedding),
        output_dropout=build_dropout(config, config.dropout.output),
    )
    for part in model.modules():
        if isinstance(part, RecurrentLayer):
            part.weight_dropout = config.dropout.share_of_recurrent
    return model


def _attention_parts(config: ModelConfig) -> AttentionConfig:
    """Write a name alone out as its parts."""
    attention = config.attention
    return attention if isinstance(attention, AttentionConfig) else AttentionConfig(score=attention)


def _layer(config: EncoderConfig | DecoderConfig) -> type[RecurrentLayer]:
    """Look the class of the layers up."""
    return (NORMED_CELLS if config.layer_norm else CELLS)[config.cell]


def _build_encoder(config: ModelConfig) -> RecurrentEncoder:
    encoder = config.encoder
    everywhere = encoder.layers if encoder.bidirectional else 0
    return RecurrentEncoder(
        layer=_layer(encoder),
        input_size=config.embedding_size,
        hidden_size=encoder.hidden_size,
        num_layers=encoder.layers,
        bidirectional_layers=min(everywhere, encoder.bidirectional_layers or everywhere),
        residual=encoder.residual,
        dropout=build_dropout(config, config.dropout.state),
        backward=encoder.direction == "backward",
    )


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
    fed_sizes = {
        "luong": attentional_size if config.decoder.input_feeding else 0,
        "bahdanau": attention.context_size,
        "conditional": 0,
        "gnmt": attention.context_size,
    }
    stack = RecurrentStack(
        layer=_layer(config.decoder),
        known_size=config.embedding_size,
        fed_size=fed_sizes[wiring],
        shared_size=attention.context_size if wiring == "gnmt" else 0,
        hidden_size=size,
        num_layers=config.decoder.layers,
        residual=config.decoder.residual,
        dropout=build_dropout(config, config.dropout.state),
    )
    copy_gate = None
    if config.copying:
        copy_gate = CopyGate(context_size=attention.context_size, state_size=size, embedding_size=config.embedding_size)
    return DECODERS[wiring](attention=attention, stack=stack, attentional_size=attentional_size, copy_gate=copy_gate)
