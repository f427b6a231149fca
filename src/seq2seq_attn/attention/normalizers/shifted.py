"""What the sparse normalizers begin with."""

from __future__ import annotations

import torch
from torch import Tensor

LOWEST = -2.0
"""Further below the largest than any energy that gets weight: their thresholds lie less than 1 below it."""


def single_at_least(energies: Tensor) -> Tensor:
    """Return half precision energies in float32, and others as they are."""
    return energies.float() if energies.dtype in (torch.bfloat16, torch.float16) else energies


def shifted(energies: Tensor, mask: Tensor) -> Tensor:
    """Return the energies less the largest of their row, which changes no weight.

    What cannot get weight, the masked included, becomes ``LOWEST``. So all numbers
    lie between there and 0, however large the energies, and their sums stay exact.
    """
    energies = energies.masked_fill(~mask, float("-inf"))
    return (energies - energies.amax(-1, keepdim=True)).clamp_(min=LOWEST)


def counting(energies: Tensor) -> Tensor:
    """Return 1, 2, 3 and so on, one number for each source position."""
    return torch.arange(1, energies.shape[-1] + 1, dtype=energies.dtype, device=energies.device)
