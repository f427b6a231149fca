"""The arithmetic limit of a computation: the time that its matrix products alone would take.

Every product that runs is noted with its shape. Each shape is then timed by itself, on this machine and in the same
precision: as torch multiplies by itself, and with the fastest of the kernels that torch has for it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

REPEAT_SECONDS = 0.03  # that a product is repeated, to time it
MANY = 24  # products of all others together: what they take is estimated from their speed


class Shape(NamedTuple):
    """One product: ``batch`` times (rows x inner) by (inner x columns)."""

    batch: int
    rows: int
    inner: int
    columns: int
    dtype: torch.dtype

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.batch * self.rows * self.inner * self.columns


class ProductRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the shape of every matrix product inside this block, in forward and in backward passes.

    Attributes:
        shapes: how often each shape was multiplied.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.shapes: Counter[Shape] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note the product, then do it."""
        name = func.overloadpacket._qualified_op_name
        if name in _OPERANDS:
            first, second = (args[position] for position in _OPERANDS[name])
            self.shapes[_shape(first, second, transposed=name.startswith("mkldnn"))] += 1
        elif name.startswith("aten::mkldnn_rnn_layer"):
            self._note_layer(args[0], args[2], args[0].shape[1], backward=name.endswith("backward"))
        elif name.startswith("aten::_cudnn_rnn") and "weight" not in name:
            self._note_layer(args[0], args[1][1], args[4].shape[-2], backward=name.endswith("backward"))
        return func(*args, **(kwargs or {}))

    def _note_layer(self, inputs: Tensor, from_hidden: Tensor, batch: int, *, backward: bool) -> None:
        """Note what a fused recurrent layer multiplies: the inputs at once, the hidden states step by step."""
        features = inputs.shape[-1]
        length = inputs.numel() // (features * batch)
        gates, hidden = from_hidden.shape
        known = Shape(1, length * batch, features, gates, inputs.dtype)
        step = Shape(1, batch, hidden, gates, inputs.dtype)
        if not backward:
            self.shapes.update({known: 1, step: length})
            return
        self.shapes[known._replace(inner=gates, columns=features)] += 1
        self.shapes[step._replace(inner=gates, columns=hidden)] += length
        for columns in (features, hidden):
            self.shapes[Shape(1, gates, length * batch, columns, inputs.dtype)] += 1


_OPERANDS = {
    "aten::mm": (0, 1),
    "aten::bmm": (0, 1),
    "aten::addmm": (1, 2),
    "aten::addmm_": (1, 2),
    "aten::baddbmm": (1, 2),
    "mkldnn::_linear_pointwise": (0, 1),
}
"""Which arguments are multiplied."""


def _shape(first: Tensor, second: Tensor, *, transposed: bool) -> Shape:
    inner, columns = (second.shape[-1], second.shape[-2]) if transposed else second.shape[-2:]
    batch = first.shape[0] if second.dim() == 3 else 1
    return Shape(batch, first.numel() // (batch * inner), inner, columns, first.dtype)


class Seconds(NamedTuple):
    """What products take when nothing is done between them."""

    plain: float  # as torch multiplies by itself
    fastest: float  # with the fastest kernel for each shape


def seconds_alone(shapes: Mapping[Shape, int], device: torch.device) -> Seconds:
    """Return what all ``shapes`` take, each timed by itself, the rare small ones by the speed of all others."""
    by_work = sorted(shapes, key=lambda shape: shape.flops * shapes[shape], reverse=True)
    plain = fastest = flops = 0.0
    for shape in by_work[:MANY]:
        with torch.inference_mode():
            seconds = [_timed(kernel, device) for kernel in _kernels(shape, device)]
        plain += seconds[0] * shapes[shape]
        fastest += min(seconds) * shapes[shape]
        flops += shape.flops * shapes[shape]
    rest = sum(shape.flops * shapes[shape] for shape in by_work[MANY:])
    share = 1 + rest / flops if flops else 0.0
    return Seconds(plain * share, fastest * share)


def _kernels(shape: Shape, device: torch.device) -> list[Callable[[], object]]:
    batch, rows, inner, columns, dtype = shape
    first = torch.rand(batch, rows, inner, device=device).sub_(0.5).to(dtype)
    second = torch.rand(batch, inner, columns, device=device).sub_(0.5).to(dtype)
    if batch > 1:
        return [lambda: torch.bmm(first, second)]
    left, right = first[0], second[0].t().contiguous()
    kernels: list[Callable[[], object]] = [lambda: F.linear(left, right), lambda: torch.mm(left, second[0])]
    if device.type == "cpu" and hasattr(torch.ops.mkldnn, "_reorder_linear_weight") and min(rows, inner, columns) > 1:
        try:
            packed = torch.ops.mkldnn._reorder_linear_weight(right, rows)
        except RuntimeError:  # not in this precision on this CPU
            return kernels
        kernels.append(lambda: torch.ops.mkldnn._linear_pointwise(left, packed, None, "none", [], ""))
    return kernels


def _timed(kernel: Callable[[], object], device: torch.device) -> float:
    kernel()
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < REPEAT_SECONDS:
        kernel()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        done += 1
    return (time.perf_counter() - begin) / done
