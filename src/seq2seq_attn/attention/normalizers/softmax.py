"""Softmax: every position gets some weight."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.attention.normalizers.base import Normalizer


class Softmax(Normalizer):
    r"""The usual weights, :math:`\alpha_j = \exp(e_j) / \sum_k \exp(e_k)` (Bahdanau et al. 2015, section 3.1)."""

    paper: ClassVar[str] = "Bahdanau et al. 2015, 3.1"
    summary: ClassVar[str] = "every position gets some weight"

    def forward(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        mask: Bool[Tensor, "batch target_or_1 source_len"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the weights."""
        if energies.dtype in (torch.bfloat16, torch.float16):
            energies = energies.float()
        return energies.masked_fill(~mask, float("-inf")).softmax(dim=-1)
