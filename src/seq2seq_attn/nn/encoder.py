"""The encoder: a stack of LSTM layers that reads the source, in one direction or in both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.initialize import initialize_lstm
from seq2seq_attn.nn.masking import last_states, reverse_padded


class Encoded(NamedTuple):
    """What the encoder knows of a source batch."""

    states: Float[Tensor, "batch source_len value"]
    last: Float[Tensor, "batch value"]  # each direction's state after its last token
    mask: Bool[Tensor, "batch source_len"]


class LSTMEncoder(nn.Module):
    """Read the source with LSTM layers (Bahdanau et al. 2015, section 3.2, with LSTM for GRU).

    Padding never leaks: the forward direction has not reached it yet when it reads the last
    token, and the backward direction reads each sentence reversed inside its own length. So no
    packing is needed, and one fused call per layer and direction does all the work.

    Args:
        input_size: features of an embedding.
        hidden_size: features of a state, per direction.
        num_layers: layers on top of each other; each reads both directions of the one below.
        bidirectional: read from right to left too.
        residual: add a layer's input to its output, from the second layer on.
        dropout: applied to what a layer reads from the one below it. The top layer's states stay whole:
            attention compares them, and learned faster so when that was measured.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        residual: bool,
        dropout: SequenceDropout,
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.output_size = directions * hidden_size
        self.residual = residual
        self.dropout = dropout
        sizes = [input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for _ in range(directions)) for size in sizes
        )
        for lstm in self.modules():
            if isinstance(lstm, nn.LSTM):
                initialize_lstm(lstm)

    def forward(
        self,
        embedded: Float[Tensor, "batch source_len embedding"],
        lengths: Int[Tensor, " batch"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Encoded:
        """Return the states of the top layer."""
        inputs = embedded
        last = embedded
        for number, layer in enumerate(self.layers):
            read = self.dropout(inputs) if number > 0 else inputs
            outputs, last = self._read(layer, read, lengths)
            inputs = outputs + inputs if self.residual and number > 0 else outputs
        return Encoded(inputs, last, mask)

    def _read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        directions = list(layer.children())
        forward_states, _ = directions[0](inputs)
        last = last_states(forward_states, lengths)
        if len(directions) == 1:
            return forward_states, last
        reversed_states, _ = directions[1](reverse_padded(inputs, lengths))
        last = torch.cat([last, last_states(reversed_states, lengths)], dim=-1)
        return torch.cat([forward_states, reverse_padded(reversed_states, lengths)], dim=-1), last
