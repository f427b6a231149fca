"""What mechanisms are shown, how they are run, and how two results are compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention, Memory
from seq2seq_attn.testing.subject import Sizes, seeded

LENGTHS = (5, 2, 7, 1)  # of the sentences, the longest neither first nor last
TARGET_LEN = 3
TOLERANCE = 1e-9  # between float64 numbers that only the order of additions may tell apart


class Inputs(NamedTuple):
    """One batch: encoder states, which of them are tokens, and decoder states."""

    values: Tensor
    mask: Tensor
    queries: Tensor

    def to(self, dtype: torch.dtype) -> Inputs:
        """Return it in another precision."""
        return Inputs(self.values.to(dtype), self.mask, self.queries.to(dtype))

    def rows(self, rows: Tensor) -> Inputs:
        """Return these sentences."""
        return Inputs(*(part[rows] for part in self))

    def sentence(self, row: int) -> Inputs:
        """Return one sentence, without its padding."""
        length = int(self.mask[row].sum())
        kept = slice(row, row + 1)
        return Inputs(self.values[kept, :length], self.mask[kept, :length], self.queries[kept])

    def with_padding(self, filler: float) -> Inputs:
        """Return it with another number in every padded value."""
        return self._replace(values=self.values.masked_fill(~self.mask.unsqueeze(-1), filler))


def inputs_of(
    sizes: Sizes, *, lengths: tuple[int, ...] = LENGTHS, target_len: int = TARGET_LEN, seed: int = 2
) -> Inputs:
    """Draw a batch of sentences of these lengths; the same for the same arguments."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(lengths), max(lengths), sizes.value, dtype=torch.float64, generator=generator)
    queries = torch.randn(len(lengths), target_len, sizes.query, dtype=torch.float64, generator=generator)
    return Inputs(values, torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1), queries)


def attend(attention: Attention, inputs: Inputs, *, step_by_step: bool = False) -> Attended:
    """Memorize and look with all queries; what a mechanism draws while it trains is the same every time."""
    if attention.training:
        with seeded(7):
            return look(attention, inputs.queries, attention.memorize(inputs.values, inputs.mask), step_by_step)
    return look(attention, inputs.queries, attention.memorize(inputs.values, inputs.mask), step_by_step)


def look(attention: Attention, queries: Tensor, memory: Memory, step_by_step: bool = False) -> Attended:
    """Attend with all queries: at once where the mechanism allows it."""
    state = attention.start(memory)
    if not (attention.recurrent or step_by_step):
        return attention(queries, memory, state)
    contexts, weights = [], []
    for query in one_by_one(queries):
        context, row, state = attention(query, memory, state)
        contexts.append(context)
        weights.append(row)
    return Attended(torch.cat(contexts, 1), torch.cat(weights, 1), state)


def one_by_one(queries: Tensor) -> list[Tensor]:
    """Return the queries of each step."""
    return [queries[:, step : step + 1] for step in range(queries.shape[1])]


def gap(what: str, found: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> str:
    """Say where two tensors differ most; nothing when they are the same, or within a share of the largest number.

    Args:
        what: the name of their entries.
        found: what there is.
        wanted: what there should be.
        tolerance: what is forgiven, relative to the largest wanted number, or to 1; 0 for nothing at all.
    """
    if found.shape != wanted.shape:
        return f"{what} have the shape {tuple(found.shape)} instead of {tuple(wanted.shape)}"
    if found.numel() == 0:
        return ""
    found, wanted = found.detach().double().cpu(), wanted.detach().double().cpu()
    off = torch.where(found == wanted, 0.0, (found - wanted).abs()).nan_to_num(nan=float("inf"))
    scale = max(1.0, float(wanted.abs().nan_to_num(posinf=0.0).max()))
    if float(off.max()) <= tolerance * scale:
        return ""
    worst = off.argmax()
    place = [int(i) for i in torch.unravel_index(worst, off.shape)]
    return f"{what} at {place} should be {wanted.flatten()[worst]:.6g} and are {found.flatten()[worst]:.6g}"


def gap_between(found: Attended, wanted: Attended, tolerance: float = TOLERANCE) -> str:
    """Say where two results differ, in weights or context; nothing when they do not."""
    return gap("weights", found.weights, wanted.weights, tolerance) or gap(
        "contexts", found.context, wanted.context, tolerance
    )
