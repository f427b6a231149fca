"""The precision of matrix products."""

from __future__ import annotations

import torch
from torch import Tensor


def product_dtype(like: Tensor) -> torch.dtype:
    """Return the type that products with ``like`` come out in, autocast or not.

    Autocast leaves float64 alone.
    """
    kind = like.device.type
    if torch.is_autocast_enabled(kind) and like.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return like.dtype
