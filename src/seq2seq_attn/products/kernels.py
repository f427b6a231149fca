"""The three products that a linear layer is made of, by the fastest kernel that torch has on this machine.

On a CPU torch multiplies float32 with one library (MKL) and hands bfloat16 to another (oneDNN). The second one is
about two times as fast in float32, too, where the first one does not know the processor. Which one is taken depends on
the machine alone, never on a measurement: the same seed has to give the same numbers. It takes matrices as they lie in
memory or turned, but for any other view it falls back to plain loops, a thousand times slower.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

FEW = 8  # rows, inputs or outputs below which no kernel is fast and torch's own has the least to prepare


def multiply(
    inputs: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "rows outputs"]:
    r"""Return :math:`x W^\top + b`."""
    if _suits(inputs, *weight.shape):
        return torch.ops.mkldnn._linear_pointwise(inputs.contiguous(), weight.contiguous(), bias, "none", [], "")
    return F.linear(inputs, weight, bias)


def multiply_back(
    gradient: Float[Tensor, "rows outputs"], weight: Float[Tensor, "outputs inputs"]
) -> Float[Tensor, "rows inputs"]:
    """Return the gradient of the inputs: :math:`g W`."""
    if _suits(gradient, *weight.shape):
        return torch.ops.mkldnn._linear_pointwise(gradient.contiguous(), weight.contiguous().t(), None, "none", [], "")
    return gradient @ weight


def weight_gradient(
    gradient: Float[Tensor, "rows outputs"], inputs: Float[Tensor, "rows inputs"]
) -> Float[Tensor, "outputs inputs"]:
    r"""Return the gradient of the weights: :math:`g^\top x`."""
    if _suits(gradient, gradient.shape[1], inputs.shape[1]):
        turned, weight = gradient.contiguous().t(), inputs.contiguous().t()
        return torch.ops.mkldnn._linear_pointwise(turned, weight, None, "none", [], "")
    return gradient.t() @ inputs


def _suits(rows: Tensor, outputs: int, inputs: int) -> bool:
    return (
        rows.dtype == torch.float32
        and rows.device.type == "cpu"
        and min(rows.shape[0], outputs, inputs) >= FEW
        and _onednn_multiplies_float32()
    )


@cache
def _onednn_multiplies_float32() -> bool:
    """Say whether this torch on this CPU has the kernel, which is no part of torch's public interface."""
    weight, inputs = torch.eye(16).mul_(2), torch.arange(48.0).view(3, 16)
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        plain = linear(inputs, weight, None, "none", [], "")
        turned = linear(inputs.t(), inputs.t(), None, "none", [], "")
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return torch.equal(plain, 2 * inputs) and torch.equal(turned, inputs.t() @ inputs)
