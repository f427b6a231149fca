"""Order and averages inside each sentence's own length."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def reverse_padded(
    inputs: Float[Tensor, "batch len features"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch len features"]:
    """Reverse every sentence inside its own length; padding stays where it is.

    It is its own inverse.
    """
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    reversed_positions = lengths.unsqueeze(1) - 1 - positions
    order = torch.where(reversed_positions >= 0, reversed_positions, positions)
    return inputs.gather(1, order.unsqueeze(-1).expand_as(inputs))


def last_states(
    states: Float[Tensor, "batch len features"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch features"]:
    """Return the state at each sentence's last token."""
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)


def masked_mean(
    states: Float[Tensor, "batch len features"], mask: Bool[Tensor, "batch len"]
) -> Float[Tensor, "batch features"]:
    """Return the mean over each sentence's tokens."""
    total = states.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
    return total / mask.sum(1, keepdim=True).to(total.dtype)
