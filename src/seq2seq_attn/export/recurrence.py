"""A recurrent layer over whole sentences, as one operation of a traced graph.

A trace of the loop would have as many steps as the sentence it was made with. ONNX has operations for it: LSTM and GRU,
which know of lengths, and a loop for all other cells. Here is what stands for them in the trace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.nn.masking import reverse_padded
from seq2seq_attn.nn.recurrent.base import LayerState, RecurrentLayer
from seq2seq_attn.nn.recurrent.gru import GRULayer, NormedGRULayer
from seq2seq_attn.nn.recurrent.lstm import LSTMLayer, NormedLSTMLayer

torch.library.define(
    "seq2seq_attn::sequence",
    "(Tensor inputs, Tensor lengths, Tensor inputs_weight, Tensor hidden_weight, Tensor bias, str cell) -> Tensor",
)
torch.library.define("seq2seq_attn::loop", "(Tensor inputs, int number, int hidden_size) -> Tensor")


@torch.library.register_fake("seq2seq_attn::sequence")  # type: ignore[untyped-decorator]
def _sequence(
    inputs: Tensor, lengths: Tensor, inputs_weight: Tensor, hidden_weight: Tensor, bias: Tensor, cell: str
) -> Tensor:
    del lengths, inputs_weight, bias, cell
    return inputs.new_empty(*inputs.shape[:2], hidden_weight.shape[0] * hidden_weight.shape[2])


@torch.library.register_fake("seq2seq_attn::loop")  # type: ignore[untyped-decorator]
def _loop(inputs: Tensor, number: int, hidden_size: int) -> Tensor:
    del number
    return inputs.new_empty(*inputs.shape[:2], hidden_size)


_looped: list[list[RecurrentLayer]] = []
"""The layers that the loops of the trace now being made stand for, by their number."""


@contextlib.contextmanager
def looped_layers() -> Iterator[list[RecurrentLayer]]:
    """Collect the layers that are traced as loops inside this block."""
    _looped.append([])
    try:
        yield _looped[-1]
    finally:
        _looped.pop()


ORDERS = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""Gates in the order that ONNX has them in: i, o, f, g and z, r, n; here they are i, f, g, o and r, z, n."""


class Reader:
    """Reads sentences from left to right and, with a second layer, from right to left, each inside its own length.

    Args:
        layers: one for each direction.
    """

    def __init__(self, layers: Sequence[RecurrentLayer]) -> None:
        self.directions, self.hidden_size = len(layers), layers[0].hidden_size
        self._layers = layers
        plain = isinstance(layers[0], (LSTMLayer, GRULayer)) and not isinstance(
            layers[0], (NormedLSTMLayer, NormedGRULayer)
        )
        self._cell = "lstm" if isinstance(layers[0], LSTMLayer) else "gru"
        with torch.no_grad():
            self._parameters = _in_order(layers, ORDERS[self._cell]) if plain else None

    def read(
        self, inputs: Float[Tensor, "batch len input"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch len hidden"]:
        """Return the states of all directions, side by side."""
        if self._parameters is not None:
            found: Tensor = torch.ops.seq2seq_attn.sequence(inputs, lengths, *self._parameters, self._cell)
            return found
        states = self._loop(self._layers[0], inputs)
        if self.directions == 1:
            return states
        backward = self._loop(self._layers[1], reverse_padded(inputs, lengths))
        return torch.cat([states, reverse_padded(backward, lengths)], -1)

    def _loop(self, layer: RecurrentLayer, inputs: Tensor) -> Tensor:
        _looped[-1].append(layer)
        found: Tensor = torch.ops.seq2seq_attn.loop(inputs, len(_looped[-1]) - 1, layer.hidden_size)
        return found


def _in_order(layers: Sequence[RecurrentLayer], order: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return matrices of input and of state, and both biases one behind the other; directions come first."""
    kinds = zip(
        *((layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0) for layer in layers), strict=True
    )
    weights = []
    for kind in kinds:
        gates = (parameter.chunk(len(order)) for parameter in kind)
        weights.append(torch.stack([torch.cat([gate[number] for number in order]) for gate in gates]))
    return weights[0], weights[1], torch.cat(weights[2:], 1)


class LoopStep(torch.nn.Module):
    """One step of a layer: what a loop repeats.

    Args:
        layer: with the parameters.
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self,
        hidden: Float[Tensor, "batch hidden"],
        cell: Float[Tensor, "batch cell"],
        inputs: Float[Tensor, "batch input"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the new state, and what the layer gives at this position: the hidden state once more."""
        state = self.layer.unroll(inputs.unsqueeze(1)).step(0, None, LayerState(hidden, cell))
        return state.hidden, state.cell, state.hidden.clone()
