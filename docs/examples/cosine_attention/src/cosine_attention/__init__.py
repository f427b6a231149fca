"""Cosine attention: the angle between decoder state and source position, times a strength that is learned."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_attn.attention import Score


class CosineScore(Score):
    r"""Cosine energies, :math:`e_{ij} = \beta \frac{s_i \cdot W h_j}{\lVert s_i \rVert \lVert W h_j \rVert}`.

    Graves, Wayne and Danihelka (2014), equations 5 and 6, https://arxiv.org/abs/1410.5401. In the paper, the
    controller gives a strength :math:`\beta` at every step; here it is one number, learned as its logarithm. The
    matrix :math:`W` brings encoder states to the size of decoder states, which the paper's memory has anyway.
    """

    paper: ClassVar[str] = "Graves et al. 2014, eq. 5 and 6"
    summary: ClassVar[str] = "cosine of state and position, times a learned strength"

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.key_layer = nn.Linear(value_size, query_size, bias=False)
        self.log_strength = nn.Parameter(torch.tensor(1.0))

    def project(self, values: Tensor) -> Tensor:
        """Compute the direction of each key, once per source sentence."""
        return F.normalize(self.key_layer(values), dim=-1)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the energies."""
        return self.log_strength.exp() * F.normalize(query, dim=-1) @ keys.mT
