"""An ONNX graph while it is being made: nodes, constants, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""Has layer normalization and adding scatters; every runtime of the last years knows it."""

IR_VERSION = 8

ELEMENT_TYPES: dict[str, int] = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


class GraphBuilder:
    """Nodes in order, and the constants that they use.

    Args:
        prefix: of all names; keeps those of a loop's body apart from those around it.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._numbers: dict[str, int] = {}

    def name(self, hint: str) -> str:
        """Return a new name."""
        number = self._numbers.get(hint, 0)
        self._numbers[hint] = number + 1
        return f"{self.prefix}{hint}" if not number else f"{self.prefix}{hint}_{number}"

    def constant(self, value: NDArray[Any], hint: str = "constant") -> str:
        """Return the name of a constant; equal ones are one."""
        value = np.ascontiguousarray(value) if value.ndim else value
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._known:
            self._known[key] = self.name(hint)
            self._constants[self._known[key]] = value
        return self._known[key]

    def integers(self, *values: int) -> str:
        """Return a constant of one axis."""
        return self.constant(np.array(values, dtype=np.int64), "integers")

    def emit(self, kind: str, *inputs: str, outputs: int = 1, hint: str | None = None, **attributes: Any) -> list[str]:
        """Add a node; return the names of its outputs."""
        names = [self.name(hint or kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self.name(f"node_{kind}"), **attributes))
        return names

    def one(self, kind: str, *inputs: str, hint: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        return self.emit(kind, *inputs, hint=hint, **attributes)[0]

    def output(self, found: str, name: str) -> None:
        """Give what was found the name of an output."""
        self.nodes.append(helper.make_node("Identity", [found], [name], name=self.name("node_Identity")))

    def graph(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        """Return the graph, without what no output needs."""
        self._prune({output.name for output in outputs})
        used = {name for node in self.nodes for name in _names_read(node)} | {output.name for output in outputs}
        initializers = [numpy_helper.from_array(value, name) for name, value in self._constants.items() if name in used]
        return helper.make_graph(self.nodes, name, list(inputs), list(outputs), initializer=initializers)

    def _prune(self, needed: set[str]) -> None:
        kept = []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                kept.append(node)
                needed |= _names_read(node)
        self.nodes = kept[::-1]


def _names_read(node: onnx.NodeProto) -> set[str]:
    """Return the names that a node reads, those inside the body of a loop included."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            names |= {name for inner in attribute.g.node for name in _names_read(inner)}
    return names


def value_info(name: str, dtype: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Describe an input or an output; axes whose size changes have names."""
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype], list(shape))
