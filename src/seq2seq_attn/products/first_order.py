"""Backward passes that are no function of autograd's, so that there is no gradient of a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch

Gradients = TypeVar("Gradients")


def first_order(backward: Callable[..., Gradients]) -> Callable[..., Gradients]:
    """Refuse gradients of gradients.

    torch's ``once_differentiable`` lets some of them, such as ``torch.autograd.functional.hessian``, be zeros.

    Args:
        backward: of a ``torch.autograd.Function``.
    """

    @wraps(backward)
    def refuse_or_go(ctx: Any, *gradients: Any) -> Gradients:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "a gradient of a gradient (create_graph=True) is asked for, which this layer does not have; use "
                "finite differences of its gradients"
            )
        return backward(ctx, *gradients)

    return refuse_or_go
