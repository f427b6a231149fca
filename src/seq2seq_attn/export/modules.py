"""Models in the form in which they are traced: the same numbers from plain operations, and one memory per sentence.

What a model does in other ways for the sake of training (gradients of its own making, changes in place, fused kernels)
a tracer would have to see through. So the parts that do such things are replaced here, as search does it in
:mod:`seq2seq_attn.inference`; all others are traced as they are.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.export.recurrence import Reader
from seq2seq_attn.export.sharing import GridAttention, GridTransformerAttention, shares_memory
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.models.transformer import TransformerSeq2Seq
from seq2seq_attn.nn.decoders.conditional import ConditionalDecoder
from seq2seq_attn.nn.encoder import Encoded, RecurrentEncoder
from seq2seq_attn.nn.masking import last_states, reverse_padded
from seq2seq_attn.nn.recurrent.base import LayerState, ReadyLayer, RecurrentLayer, Steps
from seq2seq_attn.nn.recurrent.lstm import LSTMLayer, NormedLSTMLayer
from seq2seq_attn.nn.transformer.attention import TransformerAttention
from seq2seq_attn.nn.transformer.layers import DecoderLayer
from seq2seq_attn.products.learned import MakeProduct, cast_product


def traceable(model: Seq2Seq) -> Seq2Seq:
    """Return a copy of ``model``, with the same parameters, whose ``start`` and ``step`` are plain operations."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    made = copy.deepcopy(model, shared).eval()
    if isinstance(made, RNNSeq2Seq):
        made.encoder = cast(RecurrentEncoder, SequenceEncoder(made.encoder))
        decoder = made.decoder
        decoder.stack.layers = nn.ModuleList(StepLayer(layer) for layer in decoder.stack.recurrent_layers)
        if isinstance(decoder, ConditionalDecoder) and decoder.second is not None:
            decoder.second = StepLayer(decoder.second)
        if shares_memory(model):
            decoder.attention = GridAttention(decoder.attention)
    elif isinstance(made, TransformerSeq2Seq):
        for layer in cast(list[DecoderLayer], list(made.decoder.layers)):
            layer.cross_attention = cast(TransformerAttention, GridTransformerAttention(layer.cross_attention))
    return made


class SequenceEncoder(nn.Module):
    """What a recurrent encoder does, with one operation for each layer and all of its directions.

    Args:
        encoder: with the parameters.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self._readers = [Reader(cast(list[RecurrentLayer], list(layer.children()))) for layer in encoder.layers]

    def forward(
        self,
        embedded: Float[Tensor, "batch source_len embedding"],
        lengths: Int[Tensor, " batch"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Encoded:
        """Return the states of the top layer; those of padding are zero, or whatever a sum with zero gives."""
        inputs = last = embedded.masked_fill(~mask.unsqueeze(-1), 0.0)
        if self.encoder.backward:
            inputs = reverse_padded(inputs, lengths)
        for reader, residual in zip(self._readers, self.encoder.residual, strict=True):
            outputs = reader.read(inputs, lengths)
            last = last_states(outputs[:, :, : reader.hidden_size], lengths)
            if reader.directions == 2:  # to the left the last state is the one at the first token
                last = torch.cat([last, outputs[:, 0, reader.hidden_size :]], -1)
            inputs = outputs + inputs if residual else outputs
        return Encoded(reverse_padded(inputs, lengths) if self.encoder.backward else inputs, last, mask)


class StepLayer(RecurrentLayer):
    """What a layer of a decoder does, step by step.

    Args:
        layer: with the parameters.
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.layer = layer
        self.hidden_size = layer.hidden_size
        plain = isinstance(layer, LSTMLayer) and not isinstance(layer, NormedLSTMLayer)
        self._joined = _ReadyLSTM(layer) if plain else None

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence (of one position, in search) in a loop."""
        return self.read_in_steps(inputs, state)

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Join the matrices of an LSTM into one; other cells keep theirs."""
        return self._joined or self.layer.ready(known_size, make)

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for the steps of one batch."""
        return self.ready(0 if known is None else known.shape[2], cast_product).unroll(known)

    def start(self, inputs: Float[Tensor, "batch len input"]) -> LayerState:
        """Return the state of zeros that precedes ``inputs``."""
        return self.layer.start(inputs)

    @property
    def product_dtype(self) -> torch.dtype:
        """Precision that products come out in."""
        return self.layer.weight_ih_l0.dtype


class _ReadyLSTM(ReadyLayer):
    def __init__(self, layer: RecurrentLayer) -> None:
        with torch.no_grad():
            self.weight = torch.cat([layer.weight_ih_l0, layer.weight_hh_l0], 1)
            self.bias = layer.bias_ih_l0 + layer.bias_hh_l0

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        return _LSTMSteps(self, known)


class _LSTMSteps(Steps):
    """One product for all gates and all that they read."""

    def __init__(self, ready: _ReadyLSTM, known: Tensor | None) -> None:
        self._ready = ready
        self._known = known

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        known = None if self._known is None else self._known[:, number]
        read = torch.cat([part for part in (known, fed, state.hidden) if part is not None], 1)
        gates = F.linear(read, self._ready.weight, self._ready.bias)
        enter, keep, update, leave = gates.chunk(4, dim=1)
        cell = keep.sigmoid() * state.cell + enter.sigmoid() * update.tanh()
        return LayerState(leave.sigmoid() * cell.tanh(), cell)
