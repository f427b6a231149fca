"""LSTM layers, plain and with layer normalization."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.initialize import initialize_recurrent
from seq2seq_attn.nn.precision import product_dtype
from seq2seq_attn.nn.recurrent.base import InputPart, LayerState, RecurrentLayer, Steps


class LSTMLayer(RecurrentLayer, nn.LSTM):
    r"""Long short-term memory with forget gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    .. math::
        i, f, g, o &= W x_t + U h_{t-1} + b \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(g) \qquad h_t = \sigma(o) \tanh(c_t)

    Sequences that are known run through torch's fused kernel. In steps, what is fed and the hidden
    state share one product.
    """

    has_cell: ClassVar[bool] = True

    def __init__(self, input_size: int, hidden_size: int) -> None:
        nn.LSTM.__init__(self, input_size, hidden_size, batch_first=True)

    def reset_parameters(self) -> None:
        """Draw the first values: forget gates half open."""
        initialize_recurrent(self, gates=4, forget_gate=1)

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in one fused call."""
        first = (
            None if state is None else (state.hidden.unsqueeze(0).contiguous(), state.cell.unsqueeze(0).contiguous())
        )
        outputs, (hidden, cell) = self(inputs, first)
        return outputs, LayerState(hidden.squeeze(0), cell.squeeze(0))

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for steps: join the weights of what is fed and of the hidden state."""
        return _LSTMSteps(self, known)


class NormedLSTMLayer(LSTMLayer):
    r"""LSTM with layer normalization (Ba et al. 2016, eq. 20-22, https://arxiv.org/abs/1607.06450).

    .. math::
        i, f, g, o &= LN(W x_t; \alpha_x, \beta_x) + LN(U h_{t-1}; \alpha_h, \beta_h) \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(g) \qquad h_t = \sigma(o) \tanh(LN(c_t; \alpha_c, \beta_c))

    All four gates are normalized together. The paper adds a third bias to the two of the first line,
    which could not say more than they do.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain_ih_l0 = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh_l0 = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_cell_l0 = nn.Parameter(torch.ones(hidden_size))
        self.bias_cell_l0 = nn.Parameter(torch.zeros(hidden_size))

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in a loop."""
        return self.read_in_steps(inputs, state)

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for steps: where all of the input is known, it is normalized at once, too."""
        return _NormedLSTMSteps(self, known)


class _LSTMSteps(Steps):
    def __init__(self, layer: LSTMLayer, known: Float[Tensor, "batch len known"] | None) -> None:
        self._dtype = product_dtype(layer.weight_ih_l0)
        known_size = 0 if known is None else known.shape[2]
        weight, bias = layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0
        self._weight = torch.cat([weight[:, known_size:], layer.weight_hh_l0], 1).to(self._dtype)
        self._bias = bias.to(self._dtype)
        self._known = None if known is None else F.linear(known, weight[:, :known_size], bias).unbind(1)

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        hidden = state.hidden
        joined = hidden if fed is None else torch.cat([fed.to(hidden.dtype), hidden], 1)
        gates = F.linear(joined.to(self._dtype), self._weight)
        gates = gates + (self._bias if self._known is None else self._known[number])
        cell, output_gate = _new_cell(gates, state.cell)
        return LayerState(output_gate * cell.tanh(), cell)


class _NormedLSTMSteps(Steps):
    def __init__(self, layer: NormedLSTMLayer, known: Float[Tensor, "batch len known"] | None) -> None:
        self._input = InputPart(layer, known, bias=None)
        self._layer = layer
        self._hidden_weight = layer.weight_hh_l0.to(self._input.dtype)
        self._normed = None
        if self._input.known is not None and self._input.all_known:
            self._normed = self._norm_input(self._input.known).unbind(1)

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        layer = self._layer
        normed = self._normed
        from_input = self._norm_input(self._input.at(number, fed)) if normed is None else normed[number]
        from_hidden = F.linear(state.hidden.to(self._hidden_weight.dtype), self._hidden_weight)
        gates = from_input + _norm(from_hidden, layer.gain_hh_l0, layer.bias_hh_l0)
        cell, output_gate = _new_cell(gates, state.cell)
        return LayerState(output_gate * _norm(cell, layer.gain_cell_l0, layer.bias_cell_l0).tanh(), cell)

    def _norm_input(self, product: Tensor) -> Tensor:
        return _norm(product, self._layer.gain_ih_l0, self._layer.bias_ih_l0)


def _norm(features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(features, gain.shape, gain, bias)


def _new_cell(
    gates: Float[Tensor, "batch gates"], cell: Float[Tensor, "batch hidden"]
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    """Return the new cell state, and the open output gate."""
    input_gate, forget_gate, update, output_gate = gates.chunk(4, dim=1)
    return forget_gate.sigmoid() * cell + input_gate.sigmoid() * update.tanh(), output_gate.sigmoid()
