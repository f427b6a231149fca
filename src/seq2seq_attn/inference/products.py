"""Packed products: matrices that are laid out once for the kernel that multiplies by them.

All of them give a row the same numbers whatever stands in the other rows, bit by bit: the sum over the
inputs runs in one order, however many rows there are. torch's own product does not (the library behind it
has other kernels for few rows), and then a translation can depend on its neighbors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.products.learned import MakeProduct, Product

Precision = Literal["auto", "float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16", "int8")


def choose_products(precision: str, device: torch.device) -> tuple[MakeProduct, str]:
    """Return how to multiply, and why so, in words.

    Args:
        precision: ``float32``, ``bfloat16``, ``int8``, or ``auto``, which is float32: the answers of a model
            must not depend on the machine unless somebody asks for it.
        device: where the model is.

    Raises:
        ConfigError: if the device cannot do it.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"decoding.precision {precision!r} is unknown; use one of: {', '.join(PRECISIONS)}")
    if precision in ("auto", "float32"):
        if device.type == "cpu" and _packs(torch.float32):
            return packed_float32, "float32, matrices packed by oneDNN"
        return plain, f"float32, torch's own products on {device.type}"
    if precision == "bfloat16":
        if device.type == "cpu" and not _packs(torch.bfloat16):
            raise ConfigError("decoding.precision is bfloat16, but torch has no such products on this CPU; use float32")
        return (packed_bfloat16 if device.type == "cpu" else plain_bfloat16), f"bfloat16 on {device.type}"
    if device.type != "cpu" or not _multiplies_int8():
        raise ConfigError(
            f"decoding.precision is int8, but there are no such products on this {device.type}; use float32 or bfloat16"
        )
    return int8, "int8: matrices by output, vectors one by one; sums are exact"


def plain(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply as torch does, in the precision of the parameters."""
    weight = weight.detach()
    bias = None if bias is None else bias.detach()
    return lambda inputs: F.linear(inputs, weight, bias)


def plain_bfloat16(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply bfloat16 numbers as torch does; what comes in and goes out is float32."""
    low, low_bias = weight.detach().bfloat16(), None if bias is None else bias.detach().bfloat16()
    return lambda inputs: F.linear(inputs.bfloat16(), low, low_bias).float()


def packed_float32(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply by a matrix in oneDNN's own layout, which knows no float64."""
    if weight.dtype != torch.float32:
        return plain(weight, bias)
    return _packed(weight.detach(), None if bias is None else bias.detach(), _as_it_is, _as_it_is)


def packed_bfloat16(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply bfloat16 numbers; what comes in and goes out is float32, and so is the sum inside."""
    low, low_bias = weight.detach().bfloat16(), None if bias is None else bias.detach().bfloat16()
    return _packed(low, low_bias, torch.Tensor.bfloat16, torch.Tensor.float)


def int8(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply whole numbers of 8 bits.

    Every row of the matrix and every vector has a scale of its own, so that its largest number becomes
    127. The products are summed in 32 bits, without any rounding.
    """
    weight = weight.detach().float()
    scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    low = (weight / scale.unsqueeze(1)).round_().to(torch.int8).t().contiguous()
    scale, bias = scale.contiguous(), None if bias is None else bias.detach().float()
    outputs = weight.shape[0]

    def multiply(inputs: Tensor) -> Tensor:
        rows = inputs.reshape(-1, inputs.shape[-1])
        largest = rows.abs().amax(1, keepdim=True).clamp_(min=1e-30)
        whole = (rows * (127 / largest)).round_().to(torch.int8)
        product = torch._int_mm(whole, low).float().mul_(scale).mul_(largest.div_(127))
        if bias is not None:
            product += bias
        return product.view(*inputs.shape[:-1], outputs)

    return multiply


def _packed(
    weight: Tensor, bias: Tensor | None, enter: Callable[[Tensor], Tensor], leave: Callable[[Tensor], Tensor]
) -> Product:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    linear = torch.ops.mkldnn._linear_pointwise
    outputs = weight.shape[0]

    def multiply(inputs: Tensor) -> Tensor:
        rows = enter(inputs.reshape(-1, inputs.shape[-1]))
        if not rows.shape[0]:
            return inputs.new_zeros(*inputs.shape[:-1], outputs)
        return leave(linear(rows, packed, bias, "none", [], "")).view(*inputs.shape[:-1], outputs)

    return multiply


def _as_it_is(numbers: Tensor) -> Tensor:
    return numbers


@cache
def _packs(dtype: torch.dtype) -> bool:
    """Say whether this torch on this CPU packs matrices; they are no part of torch's public interface."""
    weight, inputs = torch.eye(16, dtype=dtype), torch.arange(32.0).view(2, 16).to(dtype)
    try:
        if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        return torch.equal(_packed(weight, None, _as_it_is, _as_it_is)(inputs), inputs)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False


@cache
def _multiplies_int8() -> bool:
    whole = torch.arange(64, dtype=torch.int8).view(2, 32)
    try:
        return torch.equal(torch._int_mm(whole, torch.eye(32, dtype=torch.int8)), whole.int())
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
