"""Monotonic chunkwise attention: stop at one source position, and look at the few that end there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.monotonic.hard import HardMonotonicAttention
from seq2seq_attn.attention.scored import key_size
from seq2seq_attn.attention.scores.base import Score

CHUNK_SIZE = 3


class MonotonicChunkwiseAttention(HardMonotonicAttention):
    r"""MoChA: softmax attention over the ``chunk_size`` positions that end where hard monotonic attention stops.

    .. math:: \beta_{ij} = \sum_{k=j}^{j+w-1} \alpha_{ik} \frac{\exp(u_{ij})}{\sum_{l=k-w+1}^{k} \exp(u_{il})}

    Chiu and Raffel (2018), section 2.3, https://arxiv.org/abs/1712.05382. The energies :math:`u` come from a
    second score of the same kind. In evaluation mode :math:`\alpha` is one position, and the equation one softmax.
    Histories are told of :math:`\beta` and enter the first score, which decides where to stop.

    Args:
        score: decides where to stop.
        histories: what its keys are told of past weights.
        new_score: makes the second score.
        chunk_size: positions in a chunk, w; 3 if None.
        noise: standard deviation of what is added to the first score's energies in training mode.
    """

    paper: ClassVar[str] = "Chiu and Raffel 2018, 2.3"
    summary: ClassVar[str] = "a few positions at a time, from left to right; learned as an expectation"

    def __init__(
        self,
        score: Score,
        histories: Sequence[History] = (),
        *,
        new_score: Callable[[], Score],
        chunk_size: int | None = None,
        noise: float = 1.0,
    ) -> None:
        super().__init__(score, histories, noise=noise)
        self.chunk_score = new_score()
        self.chunk_size = CHUNK_SIZE if chunk_size is None else chunk_size
        self.key_size = key_size(score)

    def remember(
        self,
        values: Float[Tensor, "batch source_len value"],
        compared: Float[Tensor, "batch source_len compared"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Make the keys of both scores, side by side."""
        keys = (self.score.project(compared), self.chunk_score.project(compared))
        return Memory(values, torch.cat(keys, dim=-1), mask)

    def keys(self, memory: Memory) -> Float[Tensor, "batch source_len key"]:
        """Return the keys of the score that decides where to stop."""
        return memory.keys[..., : self.key_size]

    def align(
        self,
        energies: Float[Tensor, "batch 1 source_len"],
        query: Float[Tensor, "batch 1 query"],
        mask: Bool[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> tuple[Float[Tensor, "batch 1 source_len"], AttentionState]:
        """Stop, then look back over the chunk that ends there."""
        stopped, state = super().align(energies, query, mask, memory, state)
        inside = self.chunk_score(query, memory.keys[..., self.key_size :]).to(stopped.dtype)
        return over_chunks(stopped, inside, self.chunk_size), state


def over_chunks(
    stopped: Float[Tensor, "*batch source_len"], energies: Float[Tensor, "*batch source_len"], size: int
) -> Float[Tensor, "*batch source_len"]:
    """Spread the weight of each position over the ``size`` positions that end with it, by softmax of the energies.

    Each chunk has a softmax of its own, so only energies of one chunk are ever compared. A position
    without weight gives none, and stands in no chunk of those before it: padding stays zero.
    """
    source_len = energies.shape[-1]
    before = F.pad(energies, (size - 1, 0), value=float("-inf"))
    chunks = torch.stack([before[..., place : place + source_len] for place in range(size)])  # places come first
    shares = F.pad(chunks.softmax(dim=0) * stopped, (0, size - 1))
    ends = [slice(size - 1 - place, size - 1 - place + source_len) for place in range(size)]
    return torch.stack([share[..., end] for share, end in zip(shares, ends, strict=True)]).sum(0)
