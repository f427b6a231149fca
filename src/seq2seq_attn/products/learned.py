"""How a vector is multiplied by a learned matrix: the one place that knows of precision and kernels.

Training casts a matrix once per pass and multiplies as torch does. Search multiplies by the same matrix
thousands of times, so it is worth to pack it first; :mod:`seq2seq_attn.inference` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_attn.nn.precision import product_dtype

Product = Callable[[Tensor], Tensor]
"""From ``(*axes, inputs)`` to ``(*axes, outputs)``: :math:`x W^\\top`, plus a bias where there is one."""


@runtime_checkable
class MakeProduct(Protocol):
    """A way to multiply by a matrix."""

    def __call__(self, weight: Tensor, bias: Tensor | None = None, /) -> Product:
        """Make ready to multiply by ``weight``, shape (outputs, inputs), and to add ``bias``."""
        ...


def cast_product(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply in the precision of autocast, with weights that are cast here, once.

    Autocast would cast them again at every step of a loop.
    """
    dtype = product_dtype(weight)
    weight = weight.to(dtype)
    bias = None if bias is None else bias.to(dtype)

    def multiply(inputs: Tensor) -> Tensor:
        return F.linear(inputs.to(dtype), weight, bias)

    return multiply


def layer_product(layer: nn.Module) -> Product:
    """Return what a linear layer does, made ready for a loop; another module is taken as it is."""
    return cast_product(layer.weight, layer.bias) if type(layer) is nn.Linear else layer
