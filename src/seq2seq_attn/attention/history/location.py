"""Location-sensitive attention: where the step before looked."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.history.base import FromZero, History, nothing_yet

FILTERS, WIDTH = 10, 11


class LocationHistory(History):
    r"""A convolution over the weights of the step before, :math:`f_i = F * \alpha_{i-1}`.

    Chorowski et al. (2015), equations 8 and 9, https://arxiv.org/abs/1506.07503. Their filters are 201
    positions wide, for speech; these are 11 wide, for sentences. Before the first step all weights are zero.
    """

    paper: ClassVar[str] = "Chorowski et al. 2015, eq. 8 and 9"
    summary: ClassVar[str] = "sees where the step before looked, through a convolution"

    def __init__(self, *, query_size: int, value_size: int, key_size: int) -> None:
        super().__init__()
        del query_size, value_size
        self.filters = nn.Parameter(torch.empty(FILTERS, 1, WIDTH))
        nn.init.uniform_(self.filters, -(WIDTH**-0.5), WIDTH**-0.5)
        self.layer = FromZero(FILTERS, key_size)

    def start(self, memory: Memory) -> AttentionState:
        """Begin with weights of zero."""
        return (nothing_yet(memory),)

    def features(self, memory: Memory, state: AttentionState) -> Float[Tensor, "batch source_len key"]:
        """Convolve the weights of the step before."""
        weights = state[0].unsqueeze(1).to(self.filters.dtype)
        return self.layer(F.conv1d(weights, self.filters, padding=WIDTH // 2).transpose(1, 2))

    def update(
        self,
        query: Float[Tensor, "batch 1 query"],
        weights: Float[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> AttentionState:
        """Remember these weights."""
        return (weights.squeeze(1),)
