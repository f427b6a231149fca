"""What every recurrent layer can do: read a sequence that is known, or go through one step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.precision import product_dtype


class LayerState(NamedTuple):
    """What one layer carries from one position to the next."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch cell"]  # no features where the cell of the layer has no such state (GRU)


class Steps(ABC):
    """A layer on its way through a sequence, with all that its steps have in common made ready.

    Holds the loop's variables, not the module's: a module stores nothing between calls.
    """

    @abstractmethod
    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None, state: LayerState) -> LayerState:
        """Make step ``number``.

        Args:
            number: position in the known part.
            fed: the rest of the input; None where all of it is known.
            state: before the step.
        """


class RecurrentLayer(nn.Module, ABC):
    """One layer that reads in one direction, made with the sizes of its input and its hidden state.

    The parameters are named and laid out as torch's.
    """

    has_cell: ClassVar[bool]
    """Whether a cell state is carried besides the hidden one."""

    hidden_size: int
    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter
    bias_ih_l0: nn.Parameter
    bias_hh_l0: nn.Parameter

    @abstractmethod
    def read(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence, from zero where no state is given."""

    @abstractmethod
    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for steps.

        Args:
            known: the first features of the input, at all positions; None where nothing is known
                before a step is reached.
        """

    def start(self, inputs: Float[Tensor, "batch len input"]) -> LayerState:
        """Return the state of zeros that precedes ``inputs``."""
        zeros = self.weight_hh_l0.new_zeros(inputs.shape[0], self.hidden_size)
        return LayerState(zeros, zeros if self.has_cell else zeros[:, :0])

    def read_in_steps(
        self, inputs: Float[Tensor, "batch len input"], state: LayerState | None
    ) -> tuple[Float[Tensor, "batch len hidden"], LayerState]:
        """Read a whole sequence in a loop, where there is no fused kernel for the cell."""
        steps = self.unroll(inputs)
        state = self.start(inputs) if state is None else state
        outputs = []
        for number in range(inputs.shape[1]):
            state = steps.step(number, None, state)
            outputs.append(state.hidden)
        return torch.stack(outputs, 1), state


class InputPart:
    r"""The product :math:`W x_t + b` of every step, of which the known part is made once for all positions.

    Under autocast the products come out in the lower precision. The weights are cast here, once:
    autocast would cast them again at every step.
    """

    def __init__(
        self, layer: RecurrentLayer, known: Float[Tensor, "batch len known"] | None, *, bias: Tensor | None
    ) -> None:
        self.dtype = product_dtype(layer.weight_ih_l0)
        known_size = 0 if known is None else known.shape[2]
        self.all_known = known_size == layer.weight_ih_l0.shape[1]
        self._weight = layer.weight_ih_l0[:, known_size:].to(self.dtype)
        self.known = None if known is None else F.linear(known, layer.weight_ih_l0[:, :known_size], bias)
        self._steps = None if self.known is None else self.known.unbind(1)
        self._bias = None if bias is None or known is not None else bias.to(self.dtype)

    def at(self, number: int, fed: Float[Tensor, "batch fed"] | None) -> Float[Tensor, "batch gates"]:
        """Return the product of step ``number``."""
        known = None if self._steps is None else self._steps[number]
        if fed is None:
            assert known is not None, "nothing is known of the input, and nothing is fed"
            return known
        from_fed = F.linear(fed.to(self.dtype), self._weight, self._bias)
        return from_fed if known is None else known + from_fed
