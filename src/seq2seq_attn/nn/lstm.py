"""A stack of LSTM layers that a decoder runs step by step, or at once where nothing is fed back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.initialize import initialize_lstm


class LSTMState(NamedTuple):
    """Hidden and cell states of all layers."""

    hidden: Float[Tensor, "batch layers hidden"]
    cell: Float[Tensor, "batch layers hidden"]


class LSTMStack(nn.Module):
    r"""LSTM layers whose first input has a known and a fed-back part.

    The equations are torch's (Hochreiter and Schmidhuber 1997, with forget gates):

    .. math::
        i, f, g, o &= W_{known} x_t + W_{fed} y_{t-1} + W_h h_{t-1} + b \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(g) \qquad h_t = \sigma(o) \tanh(c_t)

    What is known of all positions before the loop starts (the embeddings of the target
    under teacher forcing) is multiplied by its matrix once; the fed-back part and the hidden
    state share one product per step.

    Args:
        known_size: features known for all positions beforehand.
        fed_size: features known only when a step is reached; may be 0.
        hidden_size: features of a state.
        num_layers: layers on top of each other.
        residual: add a layer's input to its output, from the second layer on.
        dropout: applied to what a layer reads from the one below it, never along time nor to what
            the stack gives out.
    """

    def __init__(
        self,
        *,
        known_size: int,
        fed_size: int,
        hidden_size: int,
        num_layers: int,
        residual: bool,
        dropout: SequenceDropout,
    ) -> None:
        super().__init__()
        self.known_size = known_size
        self.fed_size = fed_size
        self.residual = residual
        self.dropout = dropout
        sizes = [known_size + fed_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        for lstm in self.lstms:
            initialize_lstm(lstm)

    @property
    def lstms(self) -> Sequence[nn.LSTM]:
        """The layers, lowest first."""
        return [layer for layer in self.layers if isinstance(layer, nn.LSTM)]

    def forward(
        self, inputs: Float[Tensor, "batch len known"], state: LSTMState
    ) -> tuple[Float[Tensor, "batch len hidden"], LSTMState]:
        """Run all positions at once; for a stack that is fed nothing back."""
        hidden, cell = [], []
        for number, lstm in enumerate(self.lstms):
            first = (state.hidden[:, number].unsqueeze(0).contiguous(), state.cell[:, number].unsqueeze(0).contiguous())
            read = self.dropout(inputs) if number > 0 else inputs
            outputs, (last_hidden, last_cell) = lstm(read, first)
            inputs = outputs + inputs if self.residual and number > 0 else outputs
            hidden.append(last_hidden.squeeze(0))
            cell.append(last_cell.squeeze(0))
        return inputs, LSTMState(torch.stack(hidden, 1), torch.stack(cell, 1))

    def unroll(self, known: Float[Tensor, "batch len known"], state: LSTMState) -> Unrolled:
        """Prepare to run ``known`` step by step from ``state``."""
        return Unrolled(self, known, state)


class Unrolled:
    """A stack on its way through a sequence; holds the loop's variables, not the module's."""

    def __init__(self, stack: LSTMStack, known: Float[Tensor, "batch len known"], state: LSTMState) -> None:
        lstms = stack.lstms
        lowest, *upper = [lstm.all_weights[0] for lstm in lstms]
        self._residual = stack.residual
        input_weight, recurrent_weight, *biases = lowest
        size = stack.known_size
        self._known = F.linear(known, input_weight[:, :size], biases[0] + biases[1]).unbind(1)
        # Under autocast the products above came out in the lower precision. The joined weights are
        # cast here, once: autocast would cast them again at every step.
        self.dtype = dtype = self._known[0].dtype
        self._weights = [torch.cat([input_weight[:, size:], recurrent_weight], 1).to(dtype)]
        self._weights += [torch.cat([weights[0], weights[1]], 1).to(dtype) for weights in upper]
        self._biases = [(weights[2] + weights[3]).to(dtype) for weights in upper]
        masks = [stack.dropout.masks(known, lstm.hidden_size) for lstm in lstms[:-1]]
        length = known.shape[1]
        self._masks = [None if mask is None else mask.expand(-1, length, -1).unbind(1) for mask in masks]
        self._hidden = list(state.hidden.unbind(1))
        self._cell = list(state.cell.unbind(1))

    @property
    def state(self) -> LSTMState:
        """The state after the steps made so far."""
        return LSTMState(torch.stack(self._hidden, 1), torch.stack(self._cell, 1))

    @property
    def top(self) -> Float[Tensor, "batch hidden"]:
        """The top layer's hidden state after the steps made so far."""
        return self._hidden[-1]

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None) -> Float[Tensor, "batch hidden"]:
        """Make step ``number`` and return the top layer's output (residual added)."""
        below = fed
        output = self._hidden[-1]
        for layer, weight in enumerate(self._weights):
            masks = self._masks[layer - 1] if layer > 0 else None
            read = below if below is None or masks is None else below * masks[number]
            hidden = self._hidden[layer]
            joined = hidden if read is None else torch.cat([read.to(hidden.dtype), hidden], 1)
            gates = F.linear(joined.to(self.dtype), weight)
            gates = gates + (self._known[number] if layer == 0 else self._biases[layer - 1])
            input_gate, forget_gate, update, output_gate = gates.chunk(4, dim=1)
            cell = forget_gate.sigmoid() * self._cell[layer] + input_gate.sigmoid() * update.tanh()
            hidden = output_gate.sigmoid() * cell.tanh()
            self._cell[layer], self._hidden[layer] = cell, hidden
            output = hidden + below if self._residual and layer > 0 and below is not None else hidden
            below = output
        return output
