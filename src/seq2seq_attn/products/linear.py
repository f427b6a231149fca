"""Linear layers by the fastest kernels."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.products.learned import Product, cast_product


class Linear(nn.Linear):
    """torch's linear layer, parameters and all, which learns in float32 about twice as fast on some CPUs.

    Without gradients, elsewhere, and in any other precision, it is torch's own.
    """

    def forward(self, input: Float[Tensor, "*axes inputs"]) -> Float[Tensor, "*axes outputs"]:
        """Return the inputs times the weights, plus the bias."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        suits = input.device.type == "cpu" and input.dtype == self.weight.dtype == torch.float32
        if not (learns and suits) or torch.is_autocast_enabled("cpu"):
            return F.linear(input, self.weight, self.bias)
        return cast_product(self.weight, self.bias)(input)


def is_linear(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Say whether a layer multiplies by a matrix and does nothing else, as far as can be known."""
    return type(layer) in (nn.Linear, Linear)


def layer_product(layer: nn.Module) -> Product:
    """Return what a linear layer does, made ready for a loop; another module is taken as it is."""
    return cast_product(layer.weight, layer.bias) if is_linear(layer) else layer
