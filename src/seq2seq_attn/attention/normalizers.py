"""From energies to weights: non-negative, summing to one over the source, zero on padding."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Softmax(nn.Module):
    """Softmax over the tokens; exactly zero on padding.

    Every sentence needs one token at least (a batch always has the end-of-sentence
    symbol): a row without any is NaN. Half precision energies are normalized in
    float32, where their differences still count.
    """

    def forward(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the weights."""
        if energies.dtype in (torch.bfloat16, torch.float16):
            energies = energies.float()
        return energies.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1)
