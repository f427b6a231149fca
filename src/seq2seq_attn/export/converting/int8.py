"""Matrices as whole numbers of 8 bits: a quarter of the size, in standard operations of ONNX.

Every row of a matrix (an output, or a token of a table) and every vector that it is multiplied by has a scale of its
own. Sums of products are whole numbers and exact, so that a vector gets the same numbers whatever stands beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from seq2seq_attn.export.converting.builder import GraphBuilder
from seq2seq_attn.export.converting.weights import Float32, Matrix

SMALLEST = 4096
"""Matrices of fewer numbers stay as they are: they are no burden, and often say where to look."""

WEIGHT_LEVELS = 64
"""Largest whole number in a matrix. Processors without newer instructions add two products in 16 bits, where
2 x 64 x 255 just fits; with larger numbers they would give other sums than all the rest."""

VECTOR_LEVELS = 127
ZERO = 128  # where the scale of what is multiplied has its zero: kernels want numbers without signs there


class Int8(Float32):
    """Large matrices as whole numbers, small ones as they are."""

    def product(self, builder: GraphBuilder, inputs: str, weight: Matrix, bias: Matrix | None, *, rank: int) -> str:
        """Multiply whole numbers."""
        if weight.size < SMALLEST or weight.shape[0] < 2:
            return super().product(builder, inputs, weight, bias, rank=rank)
        whole, scale = quantize(weight)
        # as it was learned, so that a table of embeddings and an output layer that share it do so in the file
        turned = builder.one("Transpose", builder.constant(whole, "weight"), perm=[1, 0])
        largest = builder.one(
            "Max", builder.one("ReduceMax", builder.one("Abs", inputs), axes=[-1], keepdims=1), _number(builder, 1e-30)
        )
        step = builder.one("Div", largest, _number(builder, VECTOR_LEVELS))
        moved = builder.one("Add", builder.one("Round", builder.one("Div", inputs, step)), _number(builder, ZERO))
        small = builder.one("Cast", moved, to=TensorProto.UINT8)
        zero = builder.constant(np.array(ZERO, dtype=np.uint8), "zero")
        sums = builder.one("MatMulInteger", small, turned, zero)
        exact = builder.one("Cast", sums, to=TensorProto.FLOAT)
        product = builder.one("Mul", builder.one("Mul", exact, step), builder.constant(scale, "scale"))
        return product if bias is None else builder.one("Add", product, builder.constant(bias, "bias"))

    def rows(self, builder: GraphBuilder, table: Matrix, indices: str) -> str:
        """Look whole numbers and their scales up."""
        if table.size < SMALLEST:
            return super().rows(builder, table, indices)
        whole, scale = quantize(table)
        found = builder.one("Gather", builder.constant(whole, "weight"), indices, axis=0)
        scales = builder.one("Gather", builder.constant(scale[:, None], "scale"), indices, axis=0)
        return builder.one("Mul", builder.one("Cast", found, to=TensorProto.FLOAT), scales)

    def stored(self, builder: GraphBuilder, weight: NDArray[Any]) -> str:
        """Store whole numbers, which are turned back when the graph is opened."""
        if weight.size < SMALLEST:
            return super().stored(builder, weight)
        whole, scale = quantize(weight)
        exact = builder.one("Cast", builder.constant(whole, "weight"), to=TensorProto.FLOAT)
        return builder.one("Mul", exact, builder.constant(scale[..., None], "scale"))


def quantize(weight: NDArray[Any]) -> tuple[NDArray[np.int8], Matrix]:
    """Return whole numbers, and the scale of each row (the last axis is summed over)."""
    largest = np.abs(weight).max(-1)
    scale = np.maximum(largest, np.finfo(np.float32).tiny).astype(np.float32) / WEIGHT_LEVELS
    return np.round(weight / scale[..., None]).astype(np.int8), scale


def _number(builder: GraphBuilder, number: float) -> str:
    return builder.constant(np.array(number, dtype=np.float32), "scalar")
