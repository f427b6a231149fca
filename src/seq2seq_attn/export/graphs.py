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
        longer: the same of sources that are longer by one position; says which axes count positions.
        read_only: no step changes them, so that one that stands twice in the tree can stand once in the list.
    """

    def __init__(self, tree: Any, longer: Any, *, read_only: bool) -> None:
        leaves, self._spec = pytree.tree_flatten(tree)
        places: dict[int, int] = {}
        self._places: list[int | None] = []  # of each leaf in the list; None: it has no features and is not in it
        self._like: list[tuple[Tensor, list[int]]] = []
        self.axes: list[dict[int, str]] = []  # of each tensor in the list those that count source positions
        for number, (leaf, other) in enumerate(zip(leaves, pytree.tree_leaves(longer), strict=True)):
            counting = [axis for axis in range(leaf.dim()) if leaf.shape[axis] != other.shape[axis]]
            self._like.append((leaf, counting))
            if 0 in (leaf.shape[1:] if leaf.dim() < 4 else (leaf.shape[1], *leaf.shape[3:])):  # a cache begins empty
                self._places.append(None)
                continue
            key = id(leaf) if read_only else number
            if key not in places:
                places[key] = len(places)
                self.axes.append(dict.fromkeys(counting, "source_len"))
            self._places.append(places[key])
        self.count = len(places)

    def flatten(self, tree: Any) -> list[Tensor]:
        """Return the tensors that have features, each once."""
        found: dict[int, Tensor] = {}
        for place, leaf in zip(self._places, pytree.tree_leaves(tree), strict=True):
            if place is not None:
                found.setdefault(place, leaf)
        return list(found.values())

    def unflatten(self, tensors: list[Tensor], mask: Tensor, rows: Tensor) -> Any:
        """Return the tree.

        Args:
            tensors: what :meth:`flatten` returned.
            mask: of the source; leaves without features get as many positions.
            rows: a tensor with the same first axis.
        """
        leaves = []
        for place, (like, counting) in zip(self._places, self._like, strict=True):
            if place is not None:
                leaves.append(tensors[place])
                continue
            sizes = [mask.shape[1] if axis in counting else size for axis, size in enumerate(like.shape)]
            leaves.append(torch.zeros(rows.shape[0], *sizes[1:], dtype=like.dtype))
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
        (memory, changing), (longer_memory, longer_changing) = self.divide(state), self.divide(longer)
        self._memory = Leaves(memory, longer_memory, read_only=True)
        self._state = Leaves(changing, longer_changing, read_only=False)
        self.memory = [f"memory.{number}" for number in range(self._memory.count)]
        self.state = [f"state.{number}" for number in range(self._state.count)]
        self.next = [f"next.{number}" for number in range(self._state.count)]
        self.examples = self._memory.flatten(memory), self._state.flatten(changing)
        self.source_axes = self._memory.axes, self._state.axes

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
        changing = self._state.unflatten(state, mask, tokens)
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
    memory_axes, state_axes = interface.source_axes
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
