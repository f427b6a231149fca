"""Layers that multiply by packed matrices, in place of those that learned them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.recurrent.base import LayerState, ReadyLayer, RecurrentLayer, Steps
from seq2seq_attn.products.learned import MakeProduct


class FastLinear(nn.Linear):
    """What a linear layer does.

    Args:
        layer: with the parameters, which stay where they are for those who read them.
        make: how to multiply.
    """

    def __init__(self, layer: nn.Linear, make: MakeProduct) -> None:
        nn.Module.__init__(self)  # no parameters of its own
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self._product = make(layer.weight, layer.bias)

    def forward(self, input: Float[Tensor, "*axes inputs"]) -> Float[Tensor, "*axes outputs"]:
        """Multiply."""
        return self._product(input)


class FastLayer(RecurrentLayer):
    """What a recurrent layer does.

    Args:
        layer: with the parameters.
        known_size: how many of the first features of its input are known before a step is reached.
        make: how to multiply.
    """

    def __init__(self, layer: RecurrentLayer, *, known_size: int, make: MakeProduct) -> None:
        super().__init__()
        self.layer = layer
        self.hidden_size = layer.hidden_size
        self._known_size = known_size
        self._ready = layer.ready(known_size, make)

    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in a loop: packed products are faster than torch's fused kernel."""
        return self.read_in_steps(inputs, state)

    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Do again, for another use, what was done when this layer was made."""
        return self.layer.ready(known_size, make)

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for the steps of one batch."""
        return self._ready.unroll(known)

    def start(self, inputs: Float[Tensor, "batch len input"]) -> LayerState:
        """Return the state of zeros that precedes ``inputs``."""
        return self.layer.start(inputs)

    @property
    def product_dtype(self) -> torch.dtype:
        """Precision that products come out in."""
        return self.layer.weight_ih_l0.dtype
