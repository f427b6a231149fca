"""The bridge: how the encoder starts the decoder."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.encoder import Encoded
from seq2seq_attn.nn.masking import masked_mean

BridgeKind = Literal["zero", "last", "mean"]


class Bridge(nn.Module):
    """Make the decoder's first hidden and cell states from the encoder's.

    * ``zero``: the decoder starts from nothing; only attention tells it of the source.
    * ``last``: from the state after the last token of each direction (Sutskever et al. 2014;
      Bahdanau et al. 2015 take that of the backward direction).
    * ``mean``: from the mean of all states.

    The summary goes through one linear layer per decoder layer; the hidden state through a
    tanh besides (Bahdanau et al. 2015, appendix A.2.2), as a hidden state always has.
    """

    def __init__(self, kind: BridgeKind, *, value_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.kind = kind
        self.num_layers = num_layers
        self.hidden_size = hidden_size
        if kind != "zero":
            self.layer = nn.Linear(value_size, 2 * num_layers * hidden_size)

    def forward(
        self, encoded: Encoded
    ) -> tuple[Float[Tensor, "batch layers hidden"], Float[Tensor, "batch layers hidden"]]:
        """Return the first hidden and cell states of all decoder layers."""
        batch = encoded.states.shape[0]
        if self.kind == "zero":
            zero = encoded.states.new_zeros(batch, self.num_layers, self.hidden_size)
            return zero, zero
        summary = encoded.last if self.kind == "last" else masked_mean(encoded.states, encoded.mask)
        both = self.layer(summary).view(batch, 2, self.num_layers, self.hidden_size)
        hidden, cell = both.unbind(1)
        return torch.tanh(hidden), cell
