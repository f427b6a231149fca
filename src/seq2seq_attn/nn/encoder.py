"""The encoder: a stack of recurrent layers that reads the source, in one direction or in both."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.masking import last_states, reverse_padded
from seq2seq_attn.nn.recurrent.base import RecurrentLayer


class Encoded(NamedTuple):
    """What the encoder knows of a source batch."""

    states: Float[Tensor, "batch source_len value"]
    last: Float[Tensor, "batch value"]  # each direction's state after its last token
    mask: Bool[Tensor, "batch source_len"]


class RecurrentEncoder(nn.Module):
    """Read the source with recurrent layers (Bahdanau et al. 2015, section 3.2).

    Padding never leaks: the forward direction has not reached it yet when it reads the last
    token, and the backward direction reads each sentence reversed inside its own length. So no
    packing is needed, and one fused call per layer and direction does all the work.

    Args:
        layer: class of the layers.
        input_size: features of an embedding.
        hidden_size: features of a state, per direction.
        num_layers: layers on top of each other; each reads all directions of the one below.
        bidirectional_layers: how many of the lowest layers read from right to left too (Wu et al. 2016,
            section 3.2, have 1).
        residual: add a layer's input to its output, from the second layer on, but not where the number of
            directions, and so the size, changes.
        dropout: applied to what a layer reads from the one below it. The top layer's states stay whole:
            attention compares them, and learned faster so when that was measured.
        backward: layers that read in one direction begin at the last token (Sutskever et al. 2014, section
            3.3, reverse the source). States stand at the tokens they belong to all the same, so that weights
            and windows are in the order of the source.
    """

    def __init__(
        self,
        *,
        layer: type[RecurrentLayer],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional_layers: int,
        residual: bool,
        dropout: SequenceDropout,
        backward: bool = False,
    ) -> None:
        super().__init__()
        directions = [2 if number < bidirectional_layers else 1 for number in range(num_layers)]
        sizes = [input_size, *(count * hidden_size for count in directions)]
        self.output_size = sizes[-1]
        self.residual = [residual and number > 0 and sizes[number] == sizes[number + 1] for number in range(num_layers)]
        self.dropout = dropout
        self.backward = backward
        self.layers = nn.ModuleList(
            nn.ModuleList(layer(size, hidden_size) for _ in range(count))
            for size, count in zip(sizes[:-1], directions, strict=True)
        )

    def forward(
        self,
        embedded: Float[Tensor, "batch source_len embedding"],
        lengths: Int[Tensor, " batch"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Encoded:
        """Return the states of the top layer."""
        # whatever stands in padding reaches no state, but it could still make a gradient of 0 x infinity
        inputs = last = embedded.masked_fill(~mask.unsqueeze(-1), 0.0)
        if self.backward:
            inputs = reverse_padded(inputs, lengths)
        for number, layer in enumerate(self.layers):
            read = self.dropout(inputs) if number > 0 else inputs
            outputs, last = self._read(layer, read, lengths)
            inputs = outputs + inputs if self.residual[number] else outputs
        return Encoded(reverse_padded(inputs, lengths) if self.backward else inputs, last, mask)

    def _read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        directions = cast(list[RecurrentLayer], list(layer.children()))
        forward_states, _ = directions[0].read(inputs)
        last = last_states(forward_states, lengths)
        if len(directions) == 1:
            return forward_states, last
        reversed_states, _ = directions[1].read(reverse_padded(inputs, lengths))
        last = torch.cat([last, last_states(reversed_states, lengths)], dim=-1)
        return torch.cat([forward_states, reverse_padded(reversed_states, lengths)], dim=-1), last
