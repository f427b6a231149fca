"""LSTM layers, plain and with layer normalization."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.initialize import initialize_recurrent
from seq2seq_attn.nn.recurrent.base import LayerState, ReadyInput, ReadyLayer, RecurrentLayer, Steps
from seq2seq_attn.nn.recurrent.lstm_cell import lstm_cell
from seq2seq_attn.products.first_order import first_order
from seq2seq_attn.products.learned import MakeProduct, Product


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
        """Read a whole sequence in one fused call; in a loop, where this CPU has no such kernel in bfloat16."""
        if inputs.device.type == "cpu" and low_precision_on_cpu() and not fuses_bfloat16():
            return self.read_in_steps(inputs, state)
        zeros = inputs.new_zeros(1, inputs.shape[0], self.hidden_size)
        first = [zeros, zeros] if state is None else [part.unsqueeze(0).contiguous() for part in state]
        weights = [self.weight_ih_l0, self.recurrent_weight(), self.bias_ih_l0, self.bias_hh_l0]
        outputs, hidden, cell = torch.lstm(inputs, first, weights, True, 1, 0.0, self.training, False, True)
        return outputs, LayerState(hidden.squeeze(0), cell.squeeze(0))

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Join the weights of what is fed and of the hidden state."""
        return _ReadyLSTM(self, known_size, make)


def low_precision_on_cpu() -> bool:
    """Say whether what runs now multiplies in bfloat16 on CPUs."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


@cache
def fuses_bfloat16() -> bool:
    """Say whether torch has its fused LSTM in bfloat16 on this CPU: without AVX-512 there is none."""
    layer = nn.LSTM(1, 1, batch_first=True)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            layer(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


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

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Keep the products apart, since each is normalized by itself."""
        return _ReadyNormedLSTM(self, known_size, make)


class _ReadyLSTM(ReadyLayer):
    def __init__(self, layer: LSTMLayer, known_size: int, make: MakeProduct) -> None:
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        known, joined = _divide(layer.weight_ih_l0, layer.recurrent_weight(), known_size)
        self._from_known = make(known, bias) if known_size else None
        self._from_rest = make(joined, None if known_size else bias)

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        if known is None or self._from_known is None:
            return _LSTMSteps(None, self._from_rest)
        return _LSTMSteps(self._from_known(known).unbind(1), self._from_rest)


def _divide(from_inputs: Tensor, from_hidden: Tensor, known_size: int) -> tuple[Tensor, Tensor]:
    """Return the weights of what is known, and those of what is fed and of the hidden state side by side."""
    known, joined = _Divide.apply(from_inputs, from_hidden, known_size)  # type: ignore[no-untyped-call]
    return known, joined


class _Divide(torch.autograd.Function):
    """Slices, with gradients that are put together once and not summed up from matrices of zeros."""

    @staticmethod
    def forward(ctx: Any, from_inputs: Tensor, from_hidden: Tensor, known_size: int) -> tuple[Tensor, Tensor]:
        ctx.sizes = from_inputs.shape[1] - known_size, from_hidden.shape[1]
        return from_inputs[:, :known_size].clone(), torch.cat([from_inputs[:, known_size:], from_hidden], 1)

    @staticmethod
    @first_order
    def backward(ctx: Any, known: Tensor, joined: Tensor) -> tuple[Tensor, Tensor, None]:
        fed, of_hidden = torch.split(joined, ctx.sizes, dim=1)
        return torch.cat([known, fed], 1), of_hidden, None


class _LSTMSteps(Steps):
    def __init__(self, known: tuple[Tensor, ...] | None, from_rest: Product) -> None:
        self._known = known
        self._from_rest = from_rest

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        hidden = state.hidden
        gates = self._from_rest(hidden if fed is None else torch.cat([fed, hidden.to(fed.dtype)], 1))
        return LayerState(*lstm_cell(gates, None if self._known is None else self._known[number], state.cell))


class _ReadyNormedLSTM(ReadyLayer):
    def __init__(self, layer: NormedLSTMLayer, known_size: int, make: MakeProduct) -> None:
        self._input = ReadyInput(layer, known_size, make, bias=None)
        self._from_hidden = make(layer.recurrent_weight())
        self._layer = layer

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        return _NormedLSTMSteps(self._layer, self._input, self._from_hidden, known)


class _NormedLSTMSteps(Steps):
    def __init__(
        self,
        layer: NormedLSTMLayer,
        inputs: ReadyInput,
        from_hidden: Product,
        known: Float[Tensor, "batch len known"] | None,
    ) -> None:
        self._layer = layer
        self._input = inputs.unroll(known)
        self._from_hidden = from_hidden
        self._normed = None
        if inputs.all_known and self._input.known is not None:  # then it is normalized at once, too
            self._normed = self._norm_input(self._input.known).unbind(1)

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        layer = self._layer
        normed = self._normed
        from_input = self._norm_input(self._input.at(number, fed)) if normed is None else normed[number]
        gates = from_input + _norm(self._from_hidden(state.hidden), layer.gain_hh_l0, layer.bias_hh_l0)
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
