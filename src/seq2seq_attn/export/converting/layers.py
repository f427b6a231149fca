"""Learned operations: products, look-ups in tables, recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from seq2seq_attn.export.converting.builder import value_info
from seq2seq_attn.export.converting.converter import Converter, Value, numpy_name, translates
from seq2seq_attn.export.recurrence import LoopStep
from seq2seq_attn.export.tracing import CannotExport, trace


@translates("linear")
def _linear(converter: Converter, value: Value, weight: Value, bias: Value | None = None) -> Value:
    build = converter.builder
    if value.empty:  # a sum over nothing
        zeros = converter.fill(converter.result.shape, 0, converter.result.dtype)
        return converter.made(zeros if bias is None else build.one("Add", zeros, converter.read(bias)))
    if weight.constant is None or (bias is not None and bias.constant is None):
        product = build.one(
            "MatMul", converter.read(value), build.one("Transpose", converter.read(weight), perm=[1, 0])
        )
        return converter.made(product if bias is None else build.one("Add", product, converter.read(bias)))
    return converter.made(
        converter.weights.product(
            build,
            converter.read(value),
            weight.constant.numpy(),
            None if bias is None or bias.constant is None else bias.constant.numpy(),
            rank=len(value.shape),
        )
    )


@translates("matmul", "bmm", "mm")
def _matmul(converter: Converter, left: Value, right: Value) -> Value:
    if right.constant is not None and right.constant.dim() == 2 and left.constant is None:
        weight = right.constant.T.contiguous().numpy()
        name = converter.weights.product(converter.builder, converter.read(left), weight, None, rank=len(left.shape))
        return converter.made(name)
    return converter.made(converter.builder.one("MatMul", converter.read(left), converter.read(right)))


@translates("embedding")
def _embedding(converter: Converter, table: Value, indices: Value, *args: Any, **kwargs: Any) -> Value:
    del args, kwargs
    assert table.constant is not None
    return converter.made(converter.weights.rows(converter.builder, table.constant.numpy(), converter.read(indices)))


@translates("conv1d")
def _convolution(
    converter: Converter,
    value: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Value:
    if isinstance(padding, str):
        raise CannotExport(f"a convolution padded by {padding!r} has no counterpart in ONNX here")
    inputs = [converter.read(one) for one in (value, weight, bias) if one is not None]
    return converter.made(
        converter.builder.one(
            "Conv",
            *inputs,
            strides=list(stride),
            pads=[*padding, *padding],
            dilations=list(dilation),
            group=groups,
        )
    )


@translates("scaled_dot_product_attention")
def _attention(  # noqa: PLR0913 - as torch has it
    converter: Converter,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    if dropout_p or is_causal or enable_gqa:
        raise CannotExport("scaled_dot_product_attention with dropout, is_causal or enable_gqa has no counterpart here")
    build, size = converter.builder, query.shape[-1]
    assert isinstance(size, int)
    factor = converter.scalar(size**-0.5 if scale is None else scale, query.dtype)
    turned = build.one("Transpose", converter.read(key), perm=[0, 1, 3, 2])
    energies = build.one("MatMul", build.one("Mul", converter.read(query), factor), turned)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        nowhere = converter.scalar(float("-inf"), query.dtype)
        energies = build.one("Where", converter.read(attn_mask), energies, nowhere)
    elif attn_mask is not None:
        energies = build.one("Add", energies, converter.read(attn_mask))
    weights = build.one("Softmax", energies, axis=-1)
    return converter.made(build.one("MatMul", weights, converter.read(value)))


@translates("seq2seq_attn.sequence")
def _sequence(
    converter: Converter,
    inputs: Value,
    lengths: Value,
    inputs_weight: Value,
    hidden_weight: Value,
    bias: Value,
    cell: str,
) -> Value:
    """A whole layer: ONNX reads positions first, and gives (positions, directions, batch, hidden)."""
    build = converter.builder
    assert inputs_weight.constant is not None
    assert hidden_weight.constant is not None
    directions, _, size = hidden_weight.shape
    more: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
    states = build.one(
        cell.upper(),
        build.one("Transpose", converter.read(inputs), perm=[1, 0, 2]),
        converter.weights.stored(build, inputs_weight.constant.numpy()),
        converter.weights.stored(build, hidden_weight.constant.numpy()),
        converter.read(bias),
        converter.read(lengths, torch.int32),
        hidden_size=size,
        direction="bidirectional" if directions == 2 else "forward",
        **more,
    )
    turned = build.one("Transpose", states, perm=[2, 0, 1, 3])
    return converter.made(build.one("Reshape", turned, build.integers(0, 0, int(directions) * int(size))))


@translates("seq2seq_attn.loop")
def _loop(converter: Converter, inputs: Value, number: int, hidden_size: int) -> Value:
    """A layer step by step, for cells that ONNX has no operation for."""
    layer, build = converter.looped[number], converter.builder
    features = inputs.shape[2]
    assert isinstance(features, int)
    cell_size = hidden_size if layer.has_cell else 0
    examples = [torch.zeros(3, size) for size in (hidden_size, cell_size, features)]
    program = trace(LoopStep(layer), examples, [{0: "batch"}] * 3)
    inner = type(build)(prefix=build.name("loop") + ".")
    names = [inner.name(name) for name in ("hidden", "cell", "inputs")]
    converter_of_body = Converter(inner, converter.weights)
    outputs = converter_of_body.convert(program, names)
    carried = [0, 1] if cell_size else [0]
    results = [inner.one("Identity", converter_of_body.read(outputs[place])) for place in [*carried, 2]]
    sizes = [hidden_size, cell_size, features]
    body = inner.graph(
        inner.name("body"),
        [value_info(names[place], "float32", [f"{inner.prefix}batch", sizes[place]]) for place in [*carried, 2]],
        [value_info(name, numpy_name(torch.float32), [f"{inner.prefix}batch", hidden_size]) for name in results],
    )
    first = converter.fill((inputs.shape[0], hidden_size), 0, torch.float32)
    by_position = build.one("Transpose", converter.read(inputs), perm=[1, 0, 2])
    found = build.emit("Scan", *[first] * len(carried), by_position, outputs=len(results), body=body, num_scan_inputs=1)
    return converter.made(build.one("Transpose", found[-1], perm=[1, 0, 2]))
