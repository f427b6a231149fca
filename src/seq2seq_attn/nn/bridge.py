"""The bridge: how the encoder starts the decoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from seq2seq_attn.nn.encoder import Encoded
from seq2seq_attn.nn.masking import masked_mean
from seq2seq_attn.nn.recurrent.stack import RecurrentState
from seq2seq_attn.products.linear import Linear

BridgeKind = Literal["zero", "last", "mean"]


class Bridge(nn.Module):
    """Make the decoder's first state from what the encoder gives.

    * ``zero``: the decoder starts from nothing; only attention tells it of the source.
    * ``last``: from the state after the last token of each direction (Sutskever et al. 2014;
      Bahdanau et al. 2015 take that of the backward direction).
    * ``mean``: from the mean of all states.

    The summary goes through one linear layer per decoder layer; the hidden state through a
    tanh besides (Bahdanau et al. 2015, appendix A.2.2), as a hidden state always has.

    Args:
        kind: what the state is made from.
        value_size: features of an encoder state.
        hidden_size: features of a hidden state of the decoder.
        num_layers: layers of the decoder.
        has_cell: whether the decoder carries a cell state besides.
    """

    def __init__(self, kind: BridgeKind, *, value_size: int, hidden_size: int, num_layers: int, has_cell: bool) -> None:
        super().__init__()
        self.kind = kind
        self.num_layers = num_layers
        self.hidden_size = hidden_size
        self.cell_size = hidden_size if has_cell else 0
        if kind != "zero":
            self.layer = Linear(value_size, num_layers * (hidden_size + self.cell_size))

    def forward(self, encoded: Encoded) -> RecurrentState:
        """Return the first state of all decoder layers."""
        batch, features = encoded.states.shape[0], self.num_layers * self.hidden_size
        if self.kind == "zero":
            both = encoded.states.new_zeros(batch, features + self.num_layers * self.cell_size)
        else:
            both = self.layer(encoded.last if self.kind == "last" else masked_mean(encoded.states, encoded.mask))
        hidden = both[:, :features].view(batch, self.num_layers, self.hidden_size)
        cell = both[:, features:].view(batch, self.num_layers, self.cell_size)
        return RecurrentState(torch.tanh(hidden), cell)
