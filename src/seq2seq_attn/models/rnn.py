"""The recurrent encoder-decoder with attention."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import Memory
from seq2seq_attn.data.batching import mask
from seq2seq_attn.models.base import Forced, ModelStep, Seq2Seq
from seq2seq_attn.nn.bridge import Bridge
from seq2seq_attn.nn.decoders.base import Decoder, DecoderState
from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.nn.encoder import RecurrentEncoder
from seq2seq_attn.nn.pointer import mixed_log_probs


class RNNState(NamedTuple):
    """What search carries: the source, read once, and where the decoder stands."""

    memory: Memory
    decoder: DecoderState
    source: Int[Tensor, "batch source_len"]  # token ids, to copy

    def select(self, rows: Int[Tensor, " kept"]) -> RNNState:
        """Keep ``rows``, repeats allowed."""
        return RNNState(self.memory.select(rows), self.decoder.select(rows), self.source.index_select(0, rows))


class RNNSeq2Seq(Seq2Seq):
    """Embeddings, encoder, bridge, decoder with attention, output layer.

    Args:
        source_embedding: vectors of source tokens.
        target_embedding: vectors of target tokens; may be the same module.
        encoder: reads the source.
        bridge: starts the decoder.
        decoder: writes the target.
        output: from the decoder's features to the target vocabulary.
        embedding_dropout: applied to both embeddings.
        output_dropout: applied to the features before the output layer.
    """

    def __init__(
        self,
        *,
        source_embedding: TokenEmbedding,
        target_embedding: TokenEmbedding,
        encoder: RecurrentEncoder,
        bridge: Bridge,
        decoder: Decoder,
        output: nn.Linear,
        embedding_dropout: SequenceDropout,
        output_dropout: SequenceDropout,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.bridge = bridge
        self.decoder = decoder
        self.output = output
        self.embedding_dropout = embedding_dropout
        self.output_dropout = output_dropout
        self.attends = decoder.attention.attends

    def forward(
        self,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_len"],
    ) -> Forced:
        """Run the decoder over a given target (teacher forcing)."""
        memory, decoder_state, _ = self.start(source, source_lengths)
        embedded = self.embedding_dropout(self.target_embedding(target_in))
        decoded = self.decoder(embedded, memory, decoder_state)
        return Forced(self.output_dropout(decoded.features), decoded.weights, decoded.generate)

    def start(self, source: Int[Tensor, "batch source_len"], source_lengths: Int[Tensor, " batch"]) -> RNNState:
        """Encode a source batch; return the state before the first target token."""
        source_mask = mask(source_lengths, source.shape[1])
        embedded = self.embedding_dropout(self.source_embedding(source))
        encoded = self.encoder(embedded, source_lengths, source_mask)
        memory = self.decoder.attention.memorize(encoded.states, source_mask)
        return RNNState(memory, self.decoder.start(self.bridge(encoded), memory), source)

    def step(self, tokens: Int[Tensor, " rows"], state: RNNState) -> ModelStep:
        """Read one target token per row and return the distribution of the next."""
        embedded = self.target_embedding(tokens.unsqueeze(1))
        decoded = self.decoder(embedded, state.memory, state.decoder)
        features, weights = decoded.features.squeeze(1), decoded.weights.squeeze(1)
        if decoded.generate is None:
            log_probs = self.log_probs(features)
        else:
            log_probs = mixed_log_probs(self.output(features), decoded.generate.squeeze(1), weights, state.source)
        return ModelStep(log_probs, weights, RNNState(state.memory, decoded.state, state.source))
