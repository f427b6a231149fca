"""How matrices stand in a graph and are multiplied by: as they are, or as whole numbers of 8 bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.export.converting.builder import GraphBuilder

Matrix = NDArray[np.float32]


class Weights(ABC):
    """What the learned matrices of a graph are stored as."""

    @abstractmethod
    def product(self, builder: GraphBuilder, inputs: str, weight: Matrix, bias: Matrix | None, *, rank: int) -> str:
        r"""Return :math:`x W^\top + b`.

        Args:
            builder: of the graph.
            inputs: name of x, whose last axis is multiplied.
            weight: of shape (outputs, inputs).
            bias: of shape (outputs,).
            rank: axes of x.
        """

    @abstractmethod
    def rows(self, builder: GraphBuilder, table: Matrix, indices: str) -> str:
        """Return the rows of a table that ``indices`` names."""

    @abstractmethod
    def stored(self, builder: GraphBuilder, weight: NDArray[Any]) -> str:
        """Return a weight for an operation that knows floating-point numbers only; its last axis is summed over."""


class Float32(Weights):
    """As they are."""

    def product(self, builder: GraphBuilder, inputs: str, weight: Matrix, bias: Matrix | None, *, rank: int) -> str:
        """Multiply in one operation where the inputs have two axes."""
        if rank == 2:
            # as it was learned, so that a table of embeddings and an output layer that share it do so in the file
            name = builder.constant(weight, "weight")
            if bias is None:
                return builder.one("Gemm", inputs, name, transB=1)
            return builder.one("Gemm", inputs, name, builder.constant(bias, "bias"), transB=1)
        product = builder.one("MatMul", inputs, builder.constant(weight.T, "weight"))
        return product if bias is None else builder.one("Add", product, builder.constant(bias, "bias"))

    def rows(self, builder: GraphBuilder, table: Matrix, indices: str) -> str:
        """Look them up."""
        return builder.one("Gather", builder.constant(table, "table"), indices, axis=0)

    def stored(self, builder: GraphBuilder, weight: NDArray[Any]) -> str:
        """Store it."""
        return builder.constant(weight, "weight")
