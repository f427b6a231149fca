"""A stack of recurrent layers that a decoder runs step by step, or at once where nothing is fed back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.recurrent.base import LayerState, RecurrentLayer, Steps


class RecurrentState(NamedTuple):
    """Hidden and cell states of all layers."""

    hidden: Float[Tensor, "batch layers hidden"]
    cell: Float[Tensor, "batch layers cell"]  # no features for GRUs

    def select(self, rows: Int[Tensor, " kept"]) -> RecurrentState:
        """Keep ``rows``, repeats allowed."""
        return RecurrentState(*(part.index_select(0, rows) for part in self))

    @property
    def layers(self) -> list[LayerState]:
        """The states layer by layer, lowest first."""
        return [LayerState(*parts) for parts in zip(self.hidden.unbind(1), self.cell.unbind(1), strict=True)]


def join_states(layers: Sequence[LayerState]) -> RecurrentState:
    """Put the states of layers together."""
    return RecurrentState(*(torch.stack(parts, 1) for parts in zip(*layers, strict=True)))


class RecurrentStack(nn.Module):
    """Recurrent layers whose input has a known and a fed-back part.

    What is known of all positions before the loop starts (the embeddings of the target under
    teacher forcing) is multiplied by its matrix once for all of them.

    Args:
        layer: class of the layers.
        known_size: features of the lowest layer's input that are known for all positions beforehand.
        fed_size: features of its input that are known only when a step is reached; may be 0.
        hidden_size: features of a state.
        num_layers: layers on top of each other.
        residual: add what a layer reads from the one below it to its output, from the second layer on.
        dropout: applied to what a layer reads from the one below it, never along time nor to what
            the stack gives out.
        shared_size: features that all layers but the lowest read besides; known only when a step is
            reached, never dropped; may be 0.
    """

    def __init__(
        self,
        *,
        layer: type[RecurrentLayer],
        known_size: int,
        fed_size: int,
        hidden_size: int,
        num_layers: int,
        residual: bool,
        dropout: SequenceDropout,
        shared_size: int = 0,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.known_size = known_size
        self.fed_size = fed_size
        self.shared_size = shared_size
        self.hidden_size = hidden_size
        self.residual = residual
        self.dropout = dropout
        sizes = [known_size + fed_size] + [hidden_size + shared_size] * (num_layers - 1)
        self.layers = nn.ModuleList(layer(size, hidden_size) for size in sizes)

    @property
    def recurrent_layers(self) -> list[RecurrentLayer]:
        """The layers, lowest first."""
        return cast(list[RecurrentLayer], list(self.layers))

    def forward(
        self, inputs: Float[Tensor, "batch len known"], state: RecurrentState
    ) -> tuple[Float[Tensor, "batch len hidden"], RecurrentState]:
        """Run all positions at once; for a stack that is fed nothing."""
        states = []
        for number, (layer, first) in enumerate(zip(self.recurrent_layers, state.layers, strict=True)):
            outputs, last = layer.read(self.dropout(inputs) if number > 0 else inputs, first)
            inputs = outputs + inputs if self.residual and number > 0 else outputs
            states.append(last)
        return inputs, join_states(states)

    def unroll(self, known: Float[Tensor, "batch len known"], state: RecurrentState) -> Unrolled:
        """Prepare to run ``known`` step by step from ``state``."""
        return Unrolled(self, known, state)


class Unrolled:
    """A stack on its way through a sequence; holds the loop's variables, not the module's."""

    def __init__(self, stack: RecurrentStack, known: Float[Tensor, "batch len known"], state: RecurrentState) -> None:
        lowest, *upper = stack.recurrent_layers
        self.dtype = lowest.product_dtype
        self._residual = stack.residual
        self._steps = [lowest.unroll(known), *(layer.unroll(None) for layer in upper)]
        masks = [stack.dropout.masks(known, stack.hidden_size) for _ in upper]
        length = known.shape[1]
        self._masks = [None if mask is None else mask.expand(-1, length, -1).unbind(1) for mask in masks]
        self._states = state.layers

    @property
    def state(self) -> RecurrentState:
        """The state after the steps made so far."""
        return join_states(self._states)

    @property
    def top(self) -> Float[Tensor, "batch hidden"]:
        """The top layer's hidden state after the steps made so far."""
        return self._states[-1].hidden

    def step(self, number: int, fed: Float[Tensor, "batch fed"] | None) -> Float[Tensor, "batch hidden"]:
        """Make step ``number`` of all layers; return the top layer's output (residual added)."""
        return self.upper(number, self.lowest(number, fed))

    def lowest(self, number: int, fed: Float[Tensor, "batch fed"] | None) -> Float[Tensor, "batch hidden"]:
        """Make step ``number`` of the lowest layer alone; return its hidden state."""
        return self.revise(self._steps[0], number, None if fed is None or fed.shape[1] == 0 else fed)

    def revise(
        self, steps: Steps, number: int, fed: Float[Tensor, "batch fed"] | None
    ) -> Float[Tensor, "batch hidden"]:
        """Move the lowest layer's state on by ``steps``, which another layer may have made ready."""
        self._states[0] = steps.step(number, fed, self._states[0])
        return self._states[0].hidden

    def upper(
        self, number: int, below: Float[Tensor, "batch hidden"], shared: Float[Tensor, "batch shared"] | None = None
    ) -> Float[Tensor, "batch hidden"]:
        """Make step ``number`` of all other layers; return the top layer's output (residual added).

        Args:
            number: position.
            below: output of the lowest layer.
            shared: what all these layers read besides.
        """
        for layer, masks in enumerate(self._masks, start=1):
            read = below if masks is None else below * masks[number]
            if shared is not None:
                read = torch.cat([read, shared.to(read.dtype)], 1)
            self._states[layer] = self._steps[layer].step(number, read, self._states[layer])
            hidden = self._states[layer].hidden
            below = hidden + below if self._residual else hidden
        return below
