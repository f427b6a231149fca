"""Where a token stands, as a vector."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def add_positions(embedded: Float[Tensor, "batch len size"], *, start: int = 0) -> Float[Tensor, "batch len size"]:
    """Add to every vector the waves of its position, the first of which is ``start``."""
    return embedded + sinusoids(embedded.shape[1], embedded.shape[2], start=start, like=embedded).to(embedded.dtype)


def sinusoids(length: int, size: int, *, start: int = 0, like: Tensor | None = None) -> Float[Tensor, "length size"]:
    r"""Return sine and cosine waves, :math:`\sin(p / 10000^{2i / size})` and the cosine of the same.

    Vaswani et al. (2017), section 3.5: even features are sines, odd ones cosines. They are computed
    for the positions that are asked for, so there is no longest sentence.

    Args:
        length: positions.
        size: features.
        start: the first position, counted from 0.
        like: a tensor on the device, and in the precision, to compute in; float32 at least.
    """
    dtype = torch.float32 if like is None else torch.promote_types(like.dtype, torch.float32)
    device = None if like is None else like.device
    positions = torch.arange(start, start + length, dtype=dtype, device=device)
    rates = 10000.0 ** (-torch.arange(0, size, 2, dtype=dtype, device=device) / size)
    angles = positions.unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]
