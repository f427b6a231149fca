"""Operations along an axis: sums, largest, sorting, softmax, running sums, norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from seq2seq_attn.export.converting.converter import Converter, Value, translates
from seq2seq_attn.export.tracing import CannotExport


def axes_of(value: Value, dim: int | Sequence[int] | None) -> list[int]:
    """Return axes, counted from the front; all where none are named."""
    rank = len(value.shape)
    named = range(rank) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
    return [axis % rank for axis in named] if rank else []


@translates("sum")
def _sum(
    converter: Converter, value: Value, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Value:
    del dtype
    name = converter.read(value, converter.result.dtype)
    axes = converter.builder.integers(*axes_of(value, dim))
    return converter.made(converter.builder.one("ReduceSum", name, axes, keepdims=int(keepdim)))


def _reduce(kind: str) -> Any:
    def translate(
        converter: Converter, value: Value, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
    ) -> Value:
        del dtype
        if isinstance(converter.result, tuple):
            raise CannotExport(f"{kind} that gives places, too, has no counterpart in ONNX here; use amax or amin")
        name = converter.read(value, converter.result.dtype)
        return converter.made(converter.builder.one(kind, name, axes=axes_of(value, dim), keepdims=int(keepdim)))

    return translate


for _name, _kind in {"mean": "ReduceMean", "amax": "ReduceMax", "amin": "ReduceMin", "max": "ReduceMax",
                     "min": "ReduceMin", "logsumexp": "ReduceLogSumExp"}.items():  # fmt: skip
    translates(_name)(_reduce(_kind))


@translates("prod")
def _product(converter: Converter, value: Value, dim: int, keepdim: bool = False, *, dtype: Any = None) -> Value:
    del dtype
    name = converter.read(value, converter.result.dtype)
    return converter.made(converter.builder.one("ReduceProd", name, axes=axes_of(value, dim), keepdims=int(keepdim)))


@translates("softmax", "_softmax")
def _softmax(converter: Converter, value: Value, dim: int, dtype: Any = None) -> Value:
    del dtype
    return converter.made(converter.builder.one("Softmax", converter.read(value, converter.result.dtype), axis=dim))


@translates("log_softmax", "_log_softmax")
def _log_softmax(converter: Converter, value: Value, dim: int, dtype: Any = None) -> Value:
    del dtype
    return converter.made(converter.builder.one("LogSoftmax", converter.read(value, converter.result.dtype), axis=dim))


@translates("cumsum")
def _running_sum(converter: Converter, value: Value, dim: int, *, dtype: Any = None) -> Value:
    del dtype
    name = converter.read(value, converter.result.dtype)
    axis = converter.builder.constant(torch.tensor(dim % len(value.shape)).numpy(), "axis")
    return converter.made(converter.builder.one("CumSum", name, axis))


@translates("sort")
def _sort(
    converter: Converter, value: Value, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> tuple[Value, Value]:
    if stable:
        raise CannotExport("a sort that keeps the order of equals has no counterpart in ONNX")
    return _largest(converter, value, converter.size(value.shape[dim]), dim, largest=descending)


@translates("topk")
def _top(
    converter: Converter, value: Value, k: Any, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Value, Value]:
    del sorted
    return _largest(converter, value, converter.size(k), dim, largest=largest)


def _largest(converter: Converter, value: Value, count: str, dim: int, *, largest: bool) -> tuple[Value, Value]:
    values, indices = converter.builder.emit(
        "TopK", converter.read(value), count, outputs=2, axis=dim, largest=int(largest), sorted=1
    )
    return converter.made(values, converter.result[0]), converter.made(indices, converter.result[1])


@translates("linalg_vector_norm", "norm")
def _norm(
    converter: Converter, value: Value, p: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Value:
    del dtype
    kinds = {2: "ReduceL2", 1: "ReduceL1"}
    if p not in kinds:
        raise CannotExport(f"a norm of order {p} has no counterpart in ONNX here; there are orders 1 and 2")
    return converter.made(
        converter.builder.one(kinds[p], converter.read(value), axes=axes_of(value, dim), keepdims=int(keepdim))
    )


@translates("layer_norm")
def _layer_norm(
    converter: Converter,
    value: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    del cudnn_enable
    scale = weight or converter.constant(torch.ones(list(normalized_shape)))
    inputs = [converter.read(value), converter.read(scale), *([] if bias is None else [converter.read(bias)])]
    return converter.made(
        converter.builder.one("LayerNormalization", *inputs, axis=-len(normalized_shape), epsilon=eps)
    )
