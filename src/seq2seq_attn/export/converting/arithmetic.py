"""Operations on numbers one by one: functions, sums and products, comparisons, choices."""

from __future__ import annotations

import math
from typing import Any

import torch

from seq2seq_attn.export.converting.converter import Converter, Value, translates
from seq2seq_attn.export.tracing import CannotExport

FUNCTIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "neg": "Neg",
    "abs": "Abs",
    "reciprocal": "Reciprocal",
    "erf": "Erf",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "sign": "Sign",
    "bitwise_not": "Not",
    "logical_not": "Not",
    "softplus": "Softplus",
}
ARITHMETIC = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "minimum": "Min", "maximum": "Max"}
COMPARISONS = {"lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "eq": "Equal"}
LOGIC = {"__and__": "And", "bitwise_and": "And", "logical_and": "And", "__or__": "Or", "bitwise_or": "Or",
         "logical_or": "Or", "bitwise_xor": "Xor", "logical_xor": "Xor", "__xor__": "Xor"}  # fmt: skip


def operand(converter: Converter, value: Any, dtype: torch.dtype) -> str:
    """Return the name of a tensor or of a number, as ``dtype``."""
    if isinstance(value, Value):
        return converter.read(value, dtype)
    if isinstance(value, torch.SymInt):
        size = converter.builder.one("Squeeze", converter.size(value))
        return converter.read(Value((), torch.int64, size), dtype)
    return converter.scalar(value, dtype)


def _function(kind: str) -> Any:
    def translate(converter: Converter, value: Value) -> Value:
        if kind == "Not" and value.dtype != torch.bool:
            raise CannotExport("bitwise_not of whole numbers has no counterpart in ONNX here")
        return converter.made(converter.builder.one(kind, converter.read(value, converter.result.dtype)))

    return translate


def _arithmetic(kind: str) -> Any:
    def translate(
        converter: Converter, left: Any, right: Any, *, alpha: float = 1, rounding_mode: str | None = None
    ) -> Value:
        if rounding_mode is not None:
            raise CannotExport(f"a division rounded by {rounding_mode!r} has no counterpart in ONNX here")
        dtype = converter.result.dtype
        second = operand(converter, right, dtype)
        if alpha != 1:
            second = converter.builder.one("Mul", second, converter.scalar(alpha, dtype))
        return converter.made(converter.builder.one(kind, operand(converter, left, dtype), second))

    return translate


def _comparison(kind: str) -> Any:
    def translate(converter: Converter, left: Value, right: Any) -> Value:
        dtype = _common(left, right)
        return converter.made(
            converter.builder.one(kind, operand(converter, left, dtype), operand(converter, right, dtype))
        )

    return translate


def _logic(kind: str) -> Any:
    def translate(converter: Converter, left: Value, right: Any) -> Value:
        if converter.result.dtype != torch.bool:
            raise CannotExport(f"{kind} of whole numbers, bit by bit, has no counterpart in ONNX here")
        sides = (operand(converter, side, torch.bool) for side in (left, right))
        return converter.made(converter.builder.one(kind, *sides))

    return translate


def _common(left: Value, right: Any) -> torch.dtype:
    """Return the type that two operands are compared in."""
    if isinstance(right, Value):
        return torch.promote_types(left.dtype, right.dtype)
    if isinstance(right, float) and not left.dtype.is_floating_point:
        return torch.float32
    return left.dtype


for _name, _kind in FUNCTIONS.items():
    translates(_name)(_function(_kind))
for _name, _kind in ARITHMETIC.items():
    translates(_name)(_arithmetic(_kind))
for _name, _kind in COMPARISONS.items():
    translates(_name)(_comparison(_kind))
for _name, _kind in LOGIC.items():
    translates(_name)(_logic(_kind))


@translates("ne")
def _not_equal(converter: Converter, left: Value, right: Any) -> Value:
    dtype = _common(left, right)
    equal = converter.builder.one("Equal", operand(converter, left, dtype), operand(converter, right, dtype))
    return converter.made(converter.builder.one("Not", equal))


@translates("rsub")
def _reversed_difference(converter: Converter, left: Value, right: Any, alpha: float = 1) -> Value:
    if alpha != 1:
        raise CannotExport("rsub with a factor has no counterpart in ONNX here")
    dtype = converter.result.dtype
    return converter.made(
        converter.builder.one("Sub", operand(converter, right, dtype), operand(converter, left, dtype))
    )


@translates("square")
def _square(converter: Converter, value: Value) -> Value:
    name = converter.read(value)
    return converter.made(converter.builder.one("Mul", name, name))


@translates("rsqrt")
def _reciprocal_root(converter: Converter, value: Value) -> Value:
    return converter.made(converter.builder.one("Reciprocal", converter.builder.one("Sqrt", converter.read(value))))


@translates("logaddexp")
def _log_add(converter: Converter, left: Value, right: Value) -> Value:
    build = converter.builder
    first, second = converter.read(left), converter.read(right)
    distance = build.one("Neg", build.one("Abs", build.one("Sub", first, second)))
    more = build.one("Log", build.one("Add", build.one("Exp", distance), converter.scalar(1.0, left.dtype)))
    return converter.made(build.one("Add", build.one("Max", first, second), more))


@translates("where")
def _where(converter: Converter, condition: Value, chosen: Any, other: Any) -> Value:
    dtype = converter.result.dtype
    return converter.made(
        converter.builder.one(
            "Where",
            converter.read(condition, torch.bool),
            operand(converter, chosen, dtype),
            operand(converter, other, dtype),
        )
    )


@translates("masked_fill")
def _masked_fill(converter: Converter, value: Value, mask: Value, filling: Any) -> Value:
    return _where(converter, mask, filling, value)


@translates("clamp")
def _clamp(converter: Converter, value: Value, min: Any = None, max: Any = None) -> Value:
    dtype = converter.result.dtype
    name = converter.read(value, dtype)
    if min is not None:
        name = converter.builder.one("Max", name, operand(converter, min, dtype))
    if max is not None:
        name = converter.builder.one("Min", name, operand(converter, max, dtype))
    return converter.made(name)


@translates("clamp_min")
def _clamp_min(converter: Converter, value: Value, min: Any) -> Value:
    return _clamp(converter, value, min=min)


@translates("clamp_max")
def _clamp_max(converter: Converter, value: Value, max: Any) -> Value:
    return _clamp(converter, value, max=max)


@translates("to", "_to_copy", "contiguous", "clone", "detach", "alias", "float", "lift_fresh_copy", "type_as")
def _same_numbers(converter: Converter, value: Value, *args: Any, **kwargs: Any) -> Value:
    del args, kwargs  # the type that the tracer saw says everything
    if value.constant is None and value.name is not None and value.dtype == converter.result.dtype:
        return value
    return converter.made(converter.read(value, converter.result.dtype))


@translates("gelu")
def _gelu(converter: Converter, value: Value, *, approximate: str = "none") -> Value:
    if approximate != "none":
        raise CannotExport(f"gelu by {approximate!r} has no counterpart in ONNX here")
    build, name = converter.builder, converter.read(value)
    inside = build.one("Erf", build.one("Mul", name, converter.scalar(math.sqrt(0.5), value.dtype)))
    share = build.one(
        "Mul", build.one("Add", inside, converter.scalar(1.0, value.dtype)), converter.scalar(0.5, value.dtype)
    )
    return converter.made(build.one("Mul", name, share))


@translates("silu")
def _silu(converter: Converter, value: Value) -> Value:
    name = converter.read(value)
    return converter.made(converter.builder.one("Mul", name, converter.builder.one("Sigmoid", name)))


@translates("leaky_relu")
def _leaky_relu(converter: Converter, value: Value, negative_slope: float = 0.01) -> Value:
    return converter.made(converter.builder.one("LeakyRelu", converter.read(value), alpha=negative_slope))


@translates("elu")
def _elu(converter: Converter, value: Value, alpha: float = 1.0) -> Value:
    return converter.made(converter.builder.one("Elu", converter.read(value), alpha=alpha))
