"""The Transformer behind the interface of every model."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.data.batching import mask
from seq2seq_attn.models.base import AttentionMap, AttentionPart, Forced, ModelStep, Seq2Seq
from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.nn.pointer import mixed_log_probs
from seq2seq_attn.nn.transformer.attention import KeysValues
from seq2seq_attn.nn.transformer.decoder import TransformerDecoder, TransformerMemory
from seq2seq_attn.nn.transformer.encoder import TransformerEncoder
from seq2seq_attn.nn.transformer.positions import add_positions


class TransformerState(NamedTuple):
    """What search carries: the source, read once, and what every layer kept of the target so far."""

    memory: TransformerMemory
    past: tuple[KeysValues, ...]
    source: Int[Tensor, "batch source_len"]  # token ids, to copy

    def select(self, rows: Int[Tensor, " kept"]) -> TransformerState:
        """Keep ``rows``, repeats allowed."""
        past = tuple(layer.select(rows) for layer in self.past)
        return TransformerState(self.memory.select(rows), past, self.source.index_select(0, rows))


class TransformerSeq2Seq(Seq2Seq):
    """Embeddings with positions, encoder, decoder, output layer (Vaswani et al. 2017, section 3).

    Args:
        source_embedding: vectors of source tokens.
        target_embedding: vectors of target tokens; may be the same module.
        encoder: reads the source.
        decoder: writes the target.
        output: from the decoder's features to the target vocabulary.
        embedding_dropout: applied to the sums of embeddings and positions.
        output_dropout: applied to the features before the output layer.
    """

    def __init__(
        self,
        *,
        source_embedding: TokenEmbedding,
        target_embedding: TokenEmbedding,
        encoder: TransformerEncoder,
        decoder: TransformerDecoder,
        output: nn.Linear,
        embedding_dropout: SequenceDropout,
        output_dropout: SequenceDropout,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder
        self.output = output
        self.embedding_dropout = embedding_dropout
        self.output_dropout = output_dropout

    def forward(
        self,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_len"],
    ) -> Forced:
        """Run the decoder over a given target (teacher forcing)."""
        memory, past, _ = self.start(source, source_lengths)
        decoded = self.decoder(self._embed(self.target_embedding, target_in), memory, past)
        return Forced(self.output_dropout(decoded.features), decoded.weights, decoded.generate)

    def start(self, source: Int[Tensor, "batch source_len"], source_lengths: Int[Tensor, " batch"]) -> TransformerState:
        """Encode a source batch; return the state before the first target token."""
        source_mask = mask(source_lengths, source.shape[1])
        states, _ = self.encoder(self._embed(self.source_embedding, source), source_mask)
        memory = self.decoder.memorize(states, source_mask)
        return TransformerState(memory, self.decoder.start(memory), source)

    def step(self, tokens: Int[Tensor, " rows"], state: TransformerState) -> ModelStep:
        """Read one target token per row and return the distribution of the next."""
        position = state.past[0].keys.shape[2]
        embedded = add_positions(self.target_embedding(tokens.unsqueeze(1)), start=position)
        decoded = self.decoder(embedded, state.memory, state.past)
        features, weights = decoded.features.squeeze(1), decoded.weights.squeeze(1)
        if decoded.generate is None:
            log_probs = self.log_probs(features)
        else:
            log_probs = mixed_log_probs(self.output(features), decoded.generate.squeeze(1), weights, state.source)
        return ModelStep(log_probs, weights, TransformerState(state.memory, decoded.past, state.source))

    def attention_maps(
        self,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_len"],
    ) -> list[AttentionMap]:
        """Return the mean of the alignment layer's heads, then every head of every layer.

        The encoder's come first, then the decoder's own, then those from the decoder to the source.
        """
        source_mask = mask(source_lengths, source.shape[1])
        states, encoder_weights = self.encoder(self._embed(self.source_embedding, source), source_mask, look=True)
        memory = self.decoder.memorize(states, source_mask)
        embedded = self._embed(self.target_embedding, target_in)
        decoded = self.decoder(embedded, memory, self.decoder.start(memory), look=True)
        parts: list[tuple[AttentionPart, tuple[Tensor, ...]]] = [
            ("encoder", encoder_weights),
            ("decoder", decoded.self_weights),
            ("cross", decoded.cross_weights),
        ]
        stands_for_all = AttentionMap("cross", self.decoder.alignment_layer, 0, decoded.weights)
        return [stands_for_all] + [
            AttentionMap(part, layer, head, weights)
            for part, layers in parts
            for layer, heads in enumerate(layers, start=1)
            for head, weights in enumerate(heads.unbind(1), start=1)
        ]

    def _embed(
        self, embedding: TokenEmbedding, tokens: Int[Tensor, "batch len"]
    ) -> Float[Tensor, "batch len embedding"]:
        return self.embedding_dropout(add_positions(embedding(tokens)))
