"""What every recurrent layer can do: read a sequence that is known, or go through one step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import dropout_mask
from seq2seq_attn.products.learned import MakeProduct, Product, cast_product
from seq2seq_attn.products.precision import product_dtype


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


class ReadyLayer(ABC):
    """The matrices of a layer, joined and ready to be multiplied by: worth keeping from batch to batch."""

    @abstractmethod
    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for the steps of one batch; see :meth:`RecurrentLayer.unroll`."""


class RecurrentLayer(nn.Module, ABC):
    """One layer that reads in one direction, made with the sizes of its input and its hidden state.

    The parameters are named and laid out as torch's.
    """

    has_cell: ClassVar[bool]
    """Whether a cell state is carried besides the hidden one."""

    hidden_size: int
    weight_dropout: float = 0.0
    """Share of the weights between a state and the next that is set to zero while training."""

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
    def ready(self, known_size: int, make: MakeProduct) -> ReadyLayer:
        """Do what all steps of all sequences have in common.

        Args:
            known_size: how many of the first features of the input are known for all positions before a
                step is reached.
            make: how to multiply.
        """

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> Steps:
        """Prepare for the steps of one batch.

        Args:
            known: the first features of the input, at all positions; None where nothing is known
                before a step is reached.
        """
        return self.ready(0 if known is None else known.shape[2], cast_product).unroll(known)

    @property
    def product_dtype(self) -> torch.dtype:
        """Precision that products come out in."""
        return product_dtype(self.weight_ih_l0)

    def recurrent_weight(self) -> Float[Tensor, "gates hidden"]:
        """Return the weights between a state and the next; in training, draw which of them are left out.

        A sequence is read with one draw at all its positions, so that the state itself stays whole (the
        weight-dropped LSTM of Merity et al. 2018, section 2, https://arxiv.org/abs/1708.02182).
        """
        weight = self.weight_hh_l0
        if not self.training or self.weight_dropout == 0.0:
            return weight
        return weight * dropout_mask(weight.detach(), self.weight_dropout)

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


class ReadyInput:
    r"""The product :math:`W x_t + b` of every step, of which the known part is made once for all positions."""

    def __init__(self, layer: RecurrentLayer, known_size: int, make: MakeProduct, *, bias: Tensor | None) -> None:
        weight = layer.weight_ih_l0
        self._from_known = make(weight[:, :known_size], bias) if known_size else None
        self.all_known = known_size == weight.shape[1]
        self._from_fed = None if self.all_known else make(weight[:, known_size:], None if known_size else bias)

    def unroll(self, known: Float[Tensor, "batch len known"] | None) -> UnrolledInput:
        """Prepare for the steps of one batch."""
        if known is None or self._from_known is None:
            return UnrolledInput(None, self._from_fed)
        return UnrolledInput(self._from_known(known), self._from_fed)


class UnrolledInput:
    """A :class:`ReadyInput` on its way through a sequence."""

    def __init__(self, known: Float[Tensor, "batch len gates"] | None, from_fed: Product | None) -> None:
        self.known = known
        self._steps = None if known is None else known.unbind(1)
        self._from_fed = from_fed

    def at(self, number: int, fed: Float[Tensor, "batch fed"] | None) -> Float[Tensor, "batch gates"]:
        """Return the product of step ``number``."""
        known = None if self._steps is None else self._steps[number]
        if fed is None or self._from_fed is None:
            assert known is not None, "nothing is known of the input, and nothing is fed"
            return known
        from_fed = self._from_fed(fed)
        return from_fed if known is None else known + from_fed
