"""Walks through a traced program and translates one operation after the other."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy  # type: ignore[import-untyped]
import torch
from torch import Tensor

from seq2seq_attn.export.converting.builder import ELEMENT_TYPES, GraphBuilder
from seq2seq_attn.export.converting.weights import Weights
from seq2seq_attn.export.tracing import CannotExport
from seq2seq_attn.nn.recurrent.base import RecurrentLayer

Size = int | torch.SymInt


@dataclass(frozen=True)
class Value:
    """A tensor of the program: a name in the graph, or a constant that has no name yet."""

    shape: tuple[Size, ...]
    dtype: torch.dtype
    name: str | None = None  # None: a constant, or a tensor without elements
    constant: Tensor | None = None

    @property
    def empty(self) -> bool:
        """Whether some axis has no positions: there is nothing to compute."""
        return any(isinstance(size, int) and size == 0 for size in self.shape)


Translation = Callable[..., Any]
TRANSLATIONS: dict[str, Translation] = {}
"""By the name of an ATen operation, without its overload: what makes ONNX nodes of it."""

VIEWS = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "select", "slice", "transpose", "permute", "mT", "t", "unsqueeze"),
        *("squeeze", "expand", "expand_as", "chunk", "split", "split_with_sizes", "unbind", "detach", "alias"),
    }
)
"""Operations whose result may be a part of their input, and would change with it."""


def translates(*names: str) -> Callable[[Translation], Translation]:
    """Enter a translation into the table; it is called with the converter, then as the operation is."""

    def enter(translation: Translation) -> Translation:
        for name in names:
            TRANSLATIONS[name] = translation
        return translation

    return enter


@dataclass
class Converter:
    """Makes nodes of the operations of one program.

    Args:
        builder: of the graph.
        weights: how matrices are stored and multiplied by.
        looped: layers that loops of the program stand for.
    """

    builder: GraphBuilder
    weights: Weights
    looped: Sequence[RecurrentLayer] = ()
    _values: dict[torch.fx.Node, Any] = field(default_factory=dict)
    _symbols: dict[str, tuple[str, int]] = field(default_factory=dict)
    _sizes: dict[str, str] = field(default_factory=dict)
    result: Any = None  # what the operation that is being translated gives, as the tracer saw it
    operation: str = ""  # its name

    def convert(self, program: torch.export.ExportedProgram, inputs: Sequence[str]) -> list[Value]:
        """Translate a program; return its outputs.

        Args:
            program: traced.
            inputs: names of its inputs in the graph, in their order.

        Raises:
            CannotExport: if it holds an operation that there is no translation of.
        """
        _refuse_unknown(program.graph_module)
        parameters = _constants_of(program)
        names = iter(inputs)

        def given(node: torch.fx.Node) -> Value:
            if node.name in parameters:
                return self.constant(parameters[node.name])
            return self._input(next(names), node.meta["val"])

        return self._run(program.graph_module, given)

    def _run(self, module: torch.fx.GraphModule, given: Callable[[torch.fx.Node], Any]) -> list[Value]:
        """Go through the operations of a graph; ``given`` says what its inputs are."""
        outputs: list[Value] = []
        for node in module.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = given(node)
            elif node.op == "get_attr":
                self._values[node] = getattr(module, node.target)
            elif node.op == "call_function":
                self._values[node] = self._call(node)
            elif node.op == "output":
                outputs = list(torch.fx.node.map_arg(node.args[0], lambda one: self._values[one]))
        return outputs

    def _inline(self, module: torch.fx.GraphModule, arguments: Sequence[Any]) -> list[Value]:
        """Translate a part of the program that stands apart."""
        values = iter(arguments)
        return self._run(module, lambda node: next(values))

    def constant(self, tensor: Tensor) -> Value:
        """Return a constant."""
        return Value(tuple(tensor.shape), tensor.dtype, constant=tensor.detach())

    def scalar(self, number: float, dtype: torch.dtype) -> str:
        """Return the name of a constant without axes."""
        return self.builder.constant(np.array(number, dtype=numpy_name(dtype)), "scalar")

    def read(self, value: Value, dtype: torch.dtype | None = None) -> str:
        """Return the name of a value in the graph, cast to ``dtype`` where it is of another."""
        if value.constant is not None:
            tensor = value.constant if dtype is None else value.constant.to(dtype)
            return self.builder.constant(tensor.cpu().numpy(), "weight" if tensor.dim() > 1 else "constant")
        if value.name is None:
            return self.fill(value.shape, 0, dtype or value.dtype)
        if dtype is None or dtype == value.dtype:
            return value.name
        return self.builder.one("Cast", value.name, to=ELEMENT_TYPES[numpy_name(dtype)])

    def made(self, name: str, like: Any = None) -> Value:
        """Return a value for a name: of the shape and type that the tracer saw."""
        like = self.result if like is None else like
        return Value(tuple(like.shape), like.dtype, name)

    def fill(self, shape: Sequence[Size], number: float, dtype: torch.dtype) -> str:
        """Return a tensor of one number."""
        from onnx import helper

        value = helper.make_tensor("value", ELEMENT_TYPES[numpy_name(dtype)], [1], [number])
        return self.builder.one("ConstantOfShape", self.shape(shape), value=value)

    def shape(self, sizes: Sequence[Size]) -> str:
        """Return a shape as a tensor of one axis."""
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == len(sizes):
            return self.builder.integers(*known)
        return self.builder.one("Concat", *(self.size(size) for size in sizes), axis=0, hint="shape")

    def size(self, size: Size) -> str:
        """Return the size of an axis as a tensor of one element."""
        return self.builder.integers(size) if isinstance(size, int) else self._expression(size.node.expr)

    def _expression(self, expression: sympy.Expr) -> str:
        key = str(expression)
        if key not in self._sizes:
            self._sizes[key] = self._compute(expression)
        return self._sizes[key]

    def _compute(self, expression: sympy.Expr) -> str:
        if isinstance(expression, (int, sympy.Integer)):
            return self.builder.integers(int(expression))
        if isinstance(expression, sympy.Symbol):
            name, axis = self._symbols[str(expression)]
            return self.builder.one("Shape", name, start=axis, end=axis + 1, hint="size")
        kinds: dict[type[sympy.Expr], str] = {sympy.Add: "Add", sympy.Mul: "Mul", sympy.Max: "Max", sympy.Min: "Min"}
        for kind, name in kinds.items():
            if type(expression) is kind or type(expression).__name__ == kind.__name__:
                found = self._expression(expression.args[0])
                for argument in expression.args[1:]:
                    found = self.builder.one(name, found, self._expression(argument))
                return found
        raise CannotExport(f"a size that is computed as {expression} has no counterpart in ONNX here")

    def _input(self, name: str, like: Tensor) -> Value:
        for axis, size in enumerate(like.shape):
            if isinstance(size, torch.SymInt):
                self._symbols.setdefault(str(size.node.expr), (name, axis))
        return Value(tuple(like.shape), like.dtype, name)

    def _call(self, node: torch.fx.Node) -> Any:
        self.result = node.meta.get("val")
        if node.target is operator.getitem:
            whole, place = node.args
            return self._values[whole][place]  # type: ignore[index]
        if isinstance(self.result, (torch.SymInt, int, torch.dtype)):
            return self.result
        if self.result is None:
            return None  # an assertion of the tracer
        arguments = torch.fx.node.map_arg((node.args, node.kwargs), lambda one: self._values[one])
        if operation_name(node.target) == AUTOCAST:
            inner: Any = arguments[0]
            return self._inline(inner[4], inner[5:])
        folded = self._fold(node.target, *arguments)
        if folded is not None:
            return folded
        if isinstance(self.result, Tensor) and 0 in [size for size in self.result.shape if isinstance(size, int)]:
            return Value(tuple(self.result.shape), self.result.dtype)
        name = operation_name(node.target)
        self.operation = _functional(name)
        found = TRANSLATIONS[self.operation](self, *arguments[0], **arguments[1])
        if _changes_in_place(name):
            self._replace(node, found)
        return found

    def _fold(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Compute at once what depends on constants only."""
        leaves = torch.utils._pytree.tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Value)]
        if not tensors or any(value.constant is None for value in tensors) or _changes_in_place(operation_name(target)):
            return None
        if any(isinstance(leaf, torch.SymInt) for leaf in leaves):
            return None
        plain = torch.utils._pytree.tree_map(
            lambda leaf: leaf.constant if isinstance(leaf, Value) else leaf, (args, kwargs)
        )
        with torch.no_grad():
            found = target(*plain[0], **plain[1])
        return torch.utils._pytree.tree_map_only(Tensor, self.constant, found)

    def _replace(self, node: torch.fx.Node, found: Value) -> None:
        """Let all who read a tensor that was changed in place read what it became."""
        base = node.args[0]
        assert isinstance(base, torch.fx.Node)
        others = [user for user in base.users if user is not node]
        viewed = [user for user in (base, *others) if user.op == "call_function" and _is_view(user.target)]
        if viewed or base.op == "placeholder":
            raise CannotExport(
                f"{operation_name(node.target)} changes a part of another tensor in place, which a graph cannot; "
                "write it as an operation that gives a new tensor"
            )
        self._values[base] = found


AUTOCAST = "wrap_with_autocast"
"""A part of a program for which mixed precision is switched off; it never is on here."""


def _refuse_unknown(module: torch.fx.GraphModule) -> None:
    unknown = {}
    for inner in module.modules():
        for node in inner.graph.nodes if isinstance(inner, torch.fx.GraphModule) else ():
            if node.op != "call_function" or node.target is operator.getitem:
                continue
            if isinstance(node.meta.get("val"), (torch.SymInt, int, torch.dtype, type(None))):
                continue
            name = operation_name(node.target)
            if _functional(name) not in TRANSLATIONS and name != AUTOCAST:
                unknown[name] = True
    if unknown:
        raise CannotExport(f"there is no translation to ONNX of {', '.join(unknown)}")


def operation_name(target: Any) -> str:
    """Return the name of an operation, without its overload."""
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.removeprefix("aten::").replace("::", ".")
    return str(getattr(target, "__name__", target))


def _changes_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


def _functional(name: str) -> str:
    return name[:-1] if _changes_in_place(name) else name


def _is_view(target: Any) -> bool:
    return operation_name(target) in VIEWS or target is operator.getitem


def _constants_of(program: torch.export.ExportedProgram) -> dict[str, Tensor]:
    """Return parameters, buffers and other tensors of a program, by the names of their placeholders."""
    found: dict[str, Tensor] = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            continue
        tensor = program.state_dict.get(spec.target, program.constants.get(spec.target))
        if isinstance(tensor, Tensor):
            found[str(spec.arg.name)] = tensor
    return found


def numpy_name(dtype: torch.dtype) -> str:
    """Return what NumPy calls a type."""
    return str(dtype).removeprefix("torch.")
