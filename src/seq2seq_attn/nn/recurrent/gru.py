"""GRU layers, plain and with layer normalization."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.initialize import initialize_recurrent
from seq2seq_attn.nn.recurrent.base import LayerState, ReadyInput, ReadyLayer, RecurrentLayer, Steps, UnrolledInput
from seq2seq_attn.products.learned import MakeProduct, Product


class GRULayer(RecurrentLayer, nn.GRU):
    r"""Gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078), in torch's form.

    .. math::
        r, z &= \sigma(W_{rz} x_t + U_{rz} h_{t-1} + b_{rz}) \\
        n &= \tanh(W_n x_t + b_n + r (U_n h_{t-1} + b_{hn})) \qquad h_t = (1 - z) n + z h_{t-1}

    The paper resets the state before it is multiplied by :math:`U_n`; torch, as cuDNN, resets the
    product, so that one product serves all gates. z keeps the old state, as in the paper (in later
    ones, Bahdanau et al. 2015 too, it lets the new one in). Sequences that are known run through
    torch's fused kernel.
    """

    has_cell: ClassVar[bool] = False

    def __init__(self, input_size: int, hidden_size: int) -> None:
        nn.GRU.__init__(self, input_size, hidden_size, batch_first=True)

    def reset_parameters(self) -> None:
        """Draw the first values."""
        initialize_recurrent(self, gates=3, forget_gate=None)

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in one fused call."""
        zeros = inputs.new_zeros(1, inputs.shape[0], self.hidden_size)
        first = zeros if state is None else state.hidden.unsqueeze(0).contiguous()
        weights = [self.weight_ih_l0, self.recurrent_weight(), self.bias_ih_l0, self.bias_hh_l0]
        outputs, hidden = torch.gru(inputs, first, weights, True, 1, 0.0, self.training, False, True)
        hidden = hidden.squeeze(0)
        return outputs, LayerState(hidden, hidden[:, :0])

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Keep the products of input and of state apart, since one of them is reset."""
        return _ReadyGRU(self, known_size, make)


class NormedGRULayer(GRULayer):
    r"""GRU with layer normalization (Ba et al. 2016, eq. 23-25, https://arxiv.org/abs/1607.06450).

    .. math::
        r, z &= \sigma(LN(W_{rz} x_t; \alpha_1, \beta_1) + LN(U_{rz} h_{t-1}; \alpha_2, \beta_2)) \\
        n &= \tanh(LN(W_n x_t; \alpha_3, \beta_3) + r LN(U_n h_{t-1}; \alpha_4, \beta_4)) \\
        h_t &= (1 - z) n + z h_{t-1}

    The two gates are normalized together, apart from the candidate n. In this paper z lets the new
    state in; here it keeps the old one, as in the plain layer.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain_ih_l0 = nn.Parameter(torch.ones(3 * hidden_size))
        self.gain_hh_l0 = nn.Parameter(torch.ones(3 * hidden_size))

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in a loop."""
        return self.read_in_steps(inputs, state)

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Keep the products apart, since each is normalized by itself."""
        return _ReadyNormedGRU(self, known_size, make)


Parts = tuple[Tensor, Tensor]
"""Gates r and z side by side, and the candidate n."""


class _ReadyGRU(ReadyLayer):
    def __init__(self, layer: GRULayer, known_size: int, make: MakeProduct) -> None:
        self._input = ReadyInput(layer, known_size, make, bias=layer.bias_ih_l0)
        self._from_hidden = make(layer.recurrent_weight(), layer.bias_hh_l0)
        self._gates = 2 * layer.hidden_size

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        return _GRUSteps(self._input.unroll(known), self._from_hidden, self._gates)


class _GRUSteps(Steps):
    def __init__(self, inputs: UnrolledInput, from_hidden: Product, gates: int) -> None:
        self._input = inputs
        self._from_hidden = from_hidden
        self._gates = gates

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        from_input = self._input.at(number, fed)
        return _new_state(self._split(from_input), self._split(self._from_hidden(state.hidden)), state)

    def _split(self, product: Tensor) -> Parts:
        return product[:, : self._gates], product[:, self._gates :]


class _ReadyNormedGRU(ReadyLayer):
    def __init__(self, layer: NormedGRULayer, known_size: int, make: MakeProduct) -> None:
        self._input = ReadyInput(layer, known_size, make, bias=None)
        self._from_hidden = make(layer.recurrent_weight())
        self._layer = layer

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        return _NormedGRUSteps(self._layer, self._input, self._from_hidden, known)


class _NormedGRUSteps(Steps):
    def __init__(
        self,
        layer: NormedGRULayer,
        inputs: ReadyInput,
        from_hidden: Product,
        known: Float[Tensor, "batch len known"] | None,
    ) -> None:
        self._layer = layer
        self._size = layer.hidden_size
        self._input = inputs.unroll(known)
        self._from_hidden = from_hidden
        self._normed = None
        if inputs.all_known and self._input.known is not None:  # then it is normalized at once, too
            gates, candidate = self._norm(self._input.known, layer.gain_ih_l0, layer.bias_ih_l0)
            self._normed = list(zip(gates.unbind(1), candidate.unbind(1), strict=True))

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        layer = self._layer
        if self._normed is not None:
            from_input = self._normed[number]
        else:
            from_input = self._norm(self._input.at(number, fed), layer.gain_ih_l0, layer.bias_ih_l0)
        product = self._from_hidden(state.hidden)
        return _new_state(from_input, self._norm(product, layer.gain_hh_l0, layer.bias_hh_l0), state)

    def _norm(self, product: Tensor, gain: Tensor, bias: Tensor) -> Parts:
        size = 2 * self._size
        gates = F.layer_norm(product[..., :size], [size], gain[:size], bias[:size])
        return gates, F.layer_norm(product[..., size:], [self._size], gain[size:], bias[size:])


def _new_state(from_input: Parts, from_hidden: Parts, state: LayerState) -> LayerState:
    reset, keep = (from_input[0] + from_hidden[0]).sigmoid().chunk(2, dim=1)
    candidate = (from_input[1] + reset * from_hidden[1]).tanh()
    return LayerState(candidate + keep * (state.hidden - candidate), state.cell)
