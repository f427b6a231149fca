"""The two graphs of a model as modules that can be traced: what goes in and out, and under which names.

A model's state is a tree of tensors. Here it becomes two flat lists: what belongs to the source and is only read
(``memory``), and what changes from step to step (``state``). Tensors without features (the cell state of a GRU) are
left out, and made where they are needed; one that stands twice in the tree (keys that are the values) stands once.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
import torch.utils._pytree as pytree
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import Memory
from seq2seq_attn.export.modules import traceable
from seq2seq_attn.export.sharing import Grid, GridKeysValues, GridMemory, shares_memory
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.rnn import RNNSeq2Seq, RNNState
from seq2seq_attn.models.transformer import TransformerSeq2Seq, TransformerState
from seq2seq_attn.nn.transformer.decoder import TransformerMemory

SENTENCES, ROWS, PLACES, SOURCE_LEN, PAST_LEN = 3, 7, 4, 5, 6
"""Sizes that graphs are traced with: all of them differ, and none is 0 or 1, which tracers take for constants."""

GRID = ("sentences", "grid", "places")


class Leaves:
    """A tree of tensors as a flat list.

    Args:
        tree: an example.
    """

    def __init__(self, tree: Any) -> None:
        leaves, self._spec = pytree.tree_flatten(tree)
        numbers: dict[int, int] = {}
        self._places: list[int | None] = []  # of each leaf in the list; None: it has no features and is not in it
        self._like: list[tuple[tuple[int, ...], torch.dtype]] = []
        for leaf in leaves:
            empty = 0 in (*leaf.shape[1:2], *leaf.shape[3:]) if leaf.dim() == 4 else 0 in leaf.shape[1:]
            self._places.append(None if empty else numbers.setdefault(id(leaf), len(numbers)))
            self._like.append((tuple(leaf.shape), leaf.dtype))
        self.count = len(numbers)

    def flatten(self, tree: Any) -> list[Tensor]:
        """Return the tensors that have features, each once."""
        found: dict[int, Tensor] = {}
        for place, leaf in zip(self._places, pytree.tree_leaves(tree), strict=True):
            if place is not None:
                found.setdefault(place, leaf)
        return list(found.values())

    def unflatten(self, tensors: list[Tensor], first: Tensor, source: Tensor | None = None) -> Any:
        """Return the tree.

        Args:
            tensors: what :meth:`flatten` returned.
            first: a tensor with the same first axis, for leaves without features.
            source: a tensor with the same second axis, for leaves of three axes without features.
        """
        leaves = []
        for place, (shape, dtype) in zip(self._places, self._like, strict=True):
            if place is not None:
                leaves.append(tensors[place])
                continue
            middle = shape[1:] if len(shape) < 3 or source is None else (source.shape[1], *shape[2:])
            leaves.append(torch.zeros(first.shape[0], *middle, dtype=dtype))
        return pytree.tree_unflatten(leaves, self._spec)


class Interface:
    """What the graphs of a model take and give.

    Args:
        model: in evaluation mode, on a CPU, in float32.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = traceable(model)
        self.shared = shares_memory(model)
        self.copies = _copies(model)
        self.is_transformer = isinstance(model, TransformerSeq2Seq)
        with torch.no_grad():
            self.source = torch.ones(SENTENCES, SOURCE_LEN, dtype=torch.int64)
            self.source_lengths = torch.tensor([SOURCE_LEN, *[2] * (SENTENCES - 1)])
            state = model.start(self.source, self.source_lengths)
            longer = model.start(F.pad(self.source, (0, 1)), self.source_lengths)
        memory, changing = self.divide(state)
        self._memory, self._state = Leaves(memory), Leaves(changing)
        self.memory = [f"memory.{number}" for number in range(self._memory.count)]
        self.state = [f"state.{number}" for number in range(self._state.count)]
        self.next = [f"next.{number}" for number in range(self._state.count)]
        self.examples = self._memory.flatten(memory), self._state.flatten(changing)
        self._longer = self._memory.flatten(self.divide(longer)[0]), self._state.flatten(self.divide(longer)[1])

    def source_axes(self) -> tuple[list[dict[int, str]], list[dict[int, str]]]:
        """Return the axes of memory and state that count source positions: they are longer for a longer source."""

        def differing(shorter: Tensor, longer: Tensor) -> dict[int, str]:
            sizes = zip(shorter.shape, longer.shape, strict=True)
            return {axis: "source_len" for axis, (before, after) in enumerate(sizes) if before != after}

        memory, state = (
            [differing(*pair) for pair in zip(shorter, longer, strict=True)]
            for shorter, longer in zip(self.examples, self._longer, strict=True)
        )
        return memory, state

    def divide(self, state: Any) -> tuple[Any, Any]:
        """Return what belongs to the source, and what changes."""
        memory = (state.memory, state.source if self.copies else ())
        return memory, state.past if isinstance(state, TransformerState) else state.decoder

    def flatten(self, state: Any) -> list[Tensor]:
        """Return the tensors of a state: those of memory, then those that change."""
        memory, changing = self.divide(state)
        return self._memory.flatten(memory) + self._state.flatten(changing)

    def join(
        self, tokens: Tensor, state: list[Tensor], memory: list[Tensor], grid: Grid | None, sentences: Tensor
    ) -> Any:
        """Return the state of a model again."""
        mask = next(tensor for tensor in memory if tensor.dtype == torch.bool)
        looked_at, source = self._memory.unflatten(memory, mask, mask)
        if not self.copies:
            source = tokens  # is not looked at
        elif grid is not None:
            source = source.index_select(0, sentences)
        changing = self._state.unflatten(state, tokens)
        if self.is_transformer:
            assert grid is not None
            layers = tuple(GridKeysValues.of(layer, grid) for layer in looked_at.layers)
            return TransformerState(TransformerMemory(layers, looked_at.mask), changing, source)
        if grid is not None:
            assert isinstance(looked_at, Memory)
            looked_at = GridMemory.of(looked_at, grid)
        return RNNState(looked_at, changing, source)


def _copies(model: Seq2Seq) -> bool:
    decoder = model.decoder
    return isinstance(model, (RNNSeq2Seq, TransformerSeq2Seq)) and decoder.copy_gate is not None  # type: ignore[union-attr]


class EncoderGraph(nn.Module):
    """From source sentences to memory and the decoder's first state."""

    def __init__(self, interface: Interface) -> None:
        super().__init__()
        self.model = interface.model
        self._interface = interface
        self.inputs = {
            "source": (interface.source, {0: "batch", 1: "source_len"}),
            "source_lengths": (interface.source_lengths, {0: "batch"}),
        }
        self.outputs = interface.memory + interface.state

    def forward(
        self, source: Int[Tensor, "batch source_len"], source_lengths: Int[Tensor, " batch"]
    ) -> list[Float[Tensor, ...]]:
        """Return all tensors of the state before the first step."""
        return self._interface.flatten(self.model.start(source, source_lengths))


class StepGraph(nn.Module):
    """One step of the decoder for all rows."""

    def __init__(self, interface: Interface) -> None:
        super().__init__()
        self.model = interface.model
        self._interface = interface
        self.inputs = step_inputs(interface)
        self.outputs = ["log_probs", "weights", *interface.next]

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        """Return log-probabilities, weights and the new state."""
        named = dict(zip(self.inputs, tensors, strict=True))
        grid = Grid(named["grid"], named["places"]) if self._interface.shared else None
        state = [named[name] for name in self._interface.state]
        memory = [named[name] for name in self._interface.memory]
        sentences = named.get("sentences", named["tokens"])
        joined = self._interface.join(named["tokens"], state, memory, grid, sentences)
        log_probs, weights, after = self.model.step(named["tokens"], joined)
        return [log_probs, weights, *self._interface.flatten(after)[len(memory) :]]


def step_inputs(interface: Interface) -> dict[str, tuple[Tensor, dict[int, str]]]:
    """Return an example of each input of a step, and the names of its axes whose size changes."""
    memory, state = interface.examples
    held = SENTENCES if interface.shared else ROWS
    sentences = torch.arange(ROWS) % SENTENCES
    rows_of = torch.arange(ROWS) % memory[0].shape[0]
    found: dict[str, tuple[Tensor, dict[int, str]]] = {"tokens": (torch.full((ROWS,), 2), {0: "rows"})}
    if interface.shared:
        found["sentences"] = (sentences, {0: "rows"})
        found["grid"] = (torch.zeros(SENTENCES, PLACES, dtype=torch.int64), {0: "held", 1: "places"})
        found["places"] = (sentences * PLACES + torch.arange(ROWS) // SENTENCES, {0: "rows"})
    memory_axes, state_axes = interface.source_axes()
    for name, tensor, axes in zip(interface.state, state, state_axes, strict=True):
        example, axes = tensor.index_select(0, rows_of), {0: "rows", **axes}
        if interface.is_transformer:
            batch, heads, _, size = example.shape
            example, axes[2] = example.new_zeros(batch, heads, PAST_LEN, size), "past_len"
        found[name] = (example, axes)
    for name, tensor, axes in zip(interface.memory, memory, memory_axes, strict=True):
        example = tensor if interface.shared else tensor.index_select(0, torch.arange(held) % tensor.shape[0])
        found[name] = (example, {0: "held" if interface.shared else "rows", **axes})
    return found
