"""Operations that move numbers, or make them: shapes, slices, look-ups."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch

from seq2seq_attn.export.converting.arithmetic import operand
from seq2seq_attn.export.converting.converter import Converter, Size, Value, translates
from seq2seq_attn.export.tracing import CannotExport


@translates("view", "reshape", "_unsafe_view", "flatten", "unflatten")
def _reshape(converter: Converter, value: Value, *args: Any, **kwargs: Any) -> Value:
    del args, kwargs  # the shape that the tracer saw says everything
    return converter.made(reshaped(converter, converter.read(value), value.shape, converter.result.shape))


def reshaped(converter: Converter, name: str, before: Sequence[Size], after: Sequence[Size]) -> str:
    """Give a tensor another shape, computing as little of it as possible."""
    sizes: list[int | None] = []
    for axis, size in enumerate(after):
        kept = axis < len(before) and str(before[axis]) == str(size)
        sizes.append(size if isinstance(size, int) else 0 if kept else None)  # 0 keeps the size that is there
    if sizes.count(None) <= 1 and not any(size == 0 and isinstance(size, int) for size in after):
        return converter.builder.one(
            "Reshape", name, converter.builder.integers(*(-1 if s is None else s for s in sizes))
        )
    return converter.builder.one("Reshape", name, converter.shape(after))


@translates("unsqueeze")
def _unsqueeze(converter: Converter, value: Value, dim: int) -> Value:
    axis = converter.builder.integers(dim % (len(value.shape) + 1))
    return converter.made(converter.builder.one("Unsqueeze", converter.read(value), axis))


@translates("squeeze")
def _squeeze(converter: Converter, value: Value, dim: Any = None) -> Value:
    named = range(len(value.shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    axes = [axis % len(value.shape) for axis in named]
    axes = [axis for axis in axes if isinstance(value.shape[axis], int) and value.shape[axis] == 1]
    if not axes:
        return value
    return converter.made(converter.builder.one("Squeeze", converter.read(value), converter.builder.integers(*axes)))


@translates("transpose")
def _transpose(converter: Converter, value: Value, dim0: int, dim1: int) -> Value:
    order = list(range(len(value.shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return converter.made(converter.builder.one("Transpose", converter.read(value), perm=order))


@translates("mT", "t", "numpy_T")
def _turn(converter: Converter, value: Value) -> Value:
    return value if len(value.shape) < 2 else _transpose(converter, value, -2, -1)


@translates("permute")
def _permute(converter: Converter, value: Value, dims: Sequence[int]) -> Value:
    order = [dim % len(value.shape) for dim in dims]
    return converter.made(converter.builder.one("Transpose", converter.read(value), perm=order))


@translates("expand", "expand_as", "broadcast_to")
def _expand(converter: Converter, value: Value, *args: Any, **kwargs: Any) -> Value:
    del args, kwargs
    if [str(size) for size in value.shape] == [str(size) for size in converter.result.shape]:
        return value
    return converter.made(
        converter.builder.one("Expand", converter.read(value), converter.shape(converter.result.shape))
    )


@translates("repeat_interleave")
def _repeat_interleave(
    converter: Converter, value: Value, repeats: int, dim: int | None = None, *, output_size: Any = None
) -> Value:
    del output_size
    if not isinstance(repeats, int) or dim is None:
        raise CannotExport("repeat_interleave by a tensor of counts has no counterpart in ONNX here")
    axis = dim % len(value.shape)
    between = (*value.shape[: axis + 1], repeats, *value.shape[axis + 1 :])
    name = converter.builder.one("Unsqueeze", converter.read(value), converter.builder.integers(axis + 1))
    name = converter.builder.one("Expand", name, converter.shape(between))
    return converter.made(reshaped(converter, name, between, converter.result.shape))


@translates("repeat")
def _repeat(converter: Converter, value: Value, repeats: Sequence[Size]) -> Value:
    ones = (1,) * (len(repeats) - len(value.shape))
    name = (
        reshaped(converter, converter.read(value), value.shape, (*ones, *value.shape))
        if ones
        else converter.read(value)
    )
    return converter.made(converter.builder.one("Tile", name, converter.shape(repeats)))


@translates("select")
def _select(converter: Converter, value: Value, dim: int, index: Size) -> Value:
    name = converter.read(value)
    if isinstance(index, torch.SymInt):
        place = converter.builder.one("Squeeze", converter.size(index))
    else:
        place = converter.builder.constant(torch.tensor(index).numpy(), "place")
    return converter.made(converter.builder.one("Gather", name, place, axis=dim))


@translates("slice")
def _slice(
    converter: Converter, value: Value, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Value:
    start = 0 if start is None else start
    end = sys.maxsize if end is None else end
    if isinstance(start, int) and isinstance(end, int) and start == 0 and end >= sys.maxsize and step == 1:
        return value
    return converter.made(sliced(converter, converter.read(value), dim, start, end, step))


def sliced(converter: Converter, name: str, dim: int, start: Size, end: Size, step: int = 1) -> str:
    """Take a part of an axis."""
    build = converter.builder
    return build.one(
        "Slice", name, converter.size(start), converter.size(end), build.integers(dim), build.integers(step)
    )


@translates("chunk", "split", "split_with_sizes", "tensor_split")
def _split(converter: Converter, value: Value, sizes: Any, dim: int = 0) -> tuple[Value, ...]:
    del sizes  # the parts that the tracer saw say everything
    parts = converter.result
    lengths = [part.shape[dim] for part in parts]
    if len(parts) == 1:
        return (value,)
    if any(isinstance(length, torch.SymInt) for length in lengths):
        raise CannotExport("a split of an axis whose size changes has no counterpart in ONNX here")
    names = converter.builder.emit(
        "Split", converter.read(value), converter.builder.integers(*lengths), outputs=len(parts), axis=dim
    )
    return tuple(converter.made(name, part) for name, part in zip(names, parts, strict=True))


@translates("unbind")
def _unbind(converter: Converter, value: Value, dim: int = 0) -> tuple[Value, ...]:
    name, parts = converter.read(value), converter.result
    if len(parts) == 1:
        only = converter.builder.one("Squeeze", name, converter.builder.integers(dim % len(value.shape)))
        return (converter.made(only, parts[0]),)
    places = (converter.builder.constant(torch.tensor(place).numpy(), "place") for place in range(len(parts)))
    found = (converter.builder.one("Gather", name, place, axis=dim) for place in places)
    return tuple(
        Value(tuple(part.shape), part.dtype) if 0 in part.shape else converter.made(one, part)
        for one, part in zip(found, parts, strict=True)
    )


@translates("cat")
def _concatenate(converter: Converter, values: Sequence[Value], dim: int = 0) -> Value:
    dtype = converter.result.dtype
    names = [converter.read(value, dtype) for value in values if not value.empty]
    if len(names) == 1:
        return converter.made(names[0])
    return converter.made(converter.builder.one("Concat", *names, axis=dim))


@translates("stack")
def _stack(converter: Converter, values: Sequence[Value], dim: int = 0) -> Value:
    axis = dim % len(converter.result.shape)
    names = [
        converter.builder.one(
            "Unsqueeze", converter.read(value, converter.result.dtype), converter.builder.integers(axis)
        )
        for value in values
    ]
    return converter.made(names[0] if len(names) == 1 else converter.builder.one("Concat", *names, axis=axis))


@translates("constant_pad_nd", "pad")
def _pad(converter: Converter, value: Value, pad: Sequence[Size], *rest: Any, **kwargs: Any) -> Value:
    mode = next((one for one in (*rest, kwargs.get("mode")) if isinstance(one, str)), "constant")
    number = next((one for one in (*rest, kwargs.get("value")) if isinstance(one, int | float)), 0)
    if mode != "constant":
        raise CannotExport(f"padding by {mode!r} has no counterpart in ONNX here")
    rank, padded = len(value.shape), len(pad) // 2
    none: list[Size] = [0] * (rank - padded)
    before: list[Size] = none + [pad[2 * (padded - 1 - axis)] for axis in range(padded)]
    after: list[Size] = none + [pad[2 * (padded - 1 - axis) + 1] for axis in range(padded)]
    return converter.made(
        converter.builder.one(
            "Pad", converter.read(value), converter.shape([*before, *after]), converter.scalar(number, value.dtype)
        )
    )


@translates("index_select")
def _index_select(converter: Converter, value: Value, dim: int, index: Value) -> Value:
    return converter.made(converter.builder.one("Gather", converter.read(value), converter.read(index), axis=dim))


@translates("index")
def _index(converter: Converter, value: Value, indices: Sequence[Value | None]) -> Value:
    named = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(named) != 1 or named[0][1].dtype == torch.bool:
        raise CannotExport("indexing by several tensors, or by a mask, has no counterpart in ONNX here")
    axis, index = named[0]
    return converter.made(converter.builder.one("Gather", converter.read(value), converter.read(index), axis=axis))


@translates("gather")
def _gather(converter: Converter, value: Value, dim: int, index: Value, *, sparse_grad: bool = False) -> Value:
    del sparse_grad
    names = converter.read(value), converter.read(index)
    return converter.made(converter.builder.one("GatherElements", *names, axis=dim))


@translates("scatter", "scatter_add")
def _scatter(converter: Converter, value: Value, dim: int, index: Value, source: Any) -> Value:
    adds = converter.operation == "scatter_add"
    if not isinstance(source, Value):
        raise CannotExport("a scatter of one number has no counterpart in ONNX here")
    return converter.made(
        converter.builder.one(
            "ScatterElements",
            converter.read(value),
            converter.read(index),
            converter.read(source),
            axis=dim,
            reduction="add" if adds else "none",
        )
    )


@translates(
    "zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "empty"
)
def _fill(converter: Converter, *args: Any, **kwargs: Any) -> Value:
    name = converter.operation
    number = 1 if "ones" in name else 0
    if "full" in name:
        number = kwargs.get("fill_value", args[-1])
    return converter.made(converter.fill(converter.result.shape, number, converter.result.dtype))


@translates("arange")
def _arange(converter: Converter, *args: Any, **kwargs: Any) -> Value:
    del kwargs
    start, end, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    dtype = converter.result.dtype
    numbers = (operand(converter, number, torch.int64) for number in (start, end, step))
    name = converter.builder.one("Range", *numbers)
    return converter.made(converter.read(Value(tuple(converter.result.shape), torch.int64, name), dtype))
