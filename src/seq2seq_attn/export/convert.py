"""From a model to its two ONNX graphs."""

from __future__ import annotations

from typing import NamedTuple

import onnx
import torch
from onnx import helper

from seq2seq_attn.export.converting import arithmetic, layers, reducing, shaping
from seq2seq_attn.export.converting.builder import IR_VERSION, OPSET, GraphBuilder, value_info
from seq2seq_attn.export.converting.converter import Converter, numpy_name
from seq2seq_attn.export.converting.weights import Float32, Weights
from seq2seq_attn.export.graphs import EncoderGraph, Interface, StepGraph
from seq2seq_attn.export.recurrence import looped_layers
from seq2seq_attn.export.tracing import trace
from seq2seq_attn.models.base import Seq2Seq

TABLES = (arithmetic, layers, reducing, shaping)
"""The files whose translations are known; importing them is what enters them into the table."""


class Graphs(NamedTuple):
    """A model as ONNX, and what its graphs take and give."""

    encoder: onnx.ModelProto
    step: onnx.ModelProto
    memory: list[str]
    state: list[str]
    shared_memory: bool


def convert_model(model: Seq2Seq, weights: Weights | None = None) -> Graphs:
    """Make the graphs of a model.

    Args:
        model: in evaluation mode, on a CPU, in float32.
        weights: how matrices are stored; as they are if None.

    Raises:
        CannotExport: naming what no graph can be made of.
    """
    weights = Float32() if weights is None else weights
    interface = Interface(model)
    encoder = _graph(EncoderGraph(interface), "encoder", weights)
    step = _graph(StepGraph(interface), "step", weights)
    return Graphs(encoder, step, interface.memory, interface.state, interface.shared)


def _graph(module: EncoderGraph | StepGraph, name: str, weights: Weights) -> onnx.ModelProto:
    with looped_layers() as looped:
        program = trace(
            module, [example for example, _ in module.inputs.values()], [axes for _, axes in module.inputs.values()]
        )
        builder = GraphBuilder()
        names = [builder.name(given) for given in module.inputs]
        converter = Converter(builder, weights, looped)
        outputs = converter.convert(program, names)
    inputs = [
        value_info(given, numpy_name(example.dtype), [axes.get(axis, size) for axis, size in enumerate(example.shape)])
        for given, (example, axes) in module.inputs.items()
    ]
    symbols = _axis_names(program, module)
    infos = []
    for given, value in zip(module.outputs, outputs, strict=True):
        builder.output(converter.read(value), given)
        shape = [size if isinstance(size, int) else symbols.get(str(size), str(size)) for size in value.shape]
        infos.append(value_info(given, numpy_name(value.dtype), shape))
    graph = builder.graph(name, inputs, infos)
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="seq2seq_attn"
    )
    return made


def _axis_names(program: torch.export.ExportedProgram, module: EncoderGraph | StepGraph) -> dict[str, str]:
    """Return what axes are called, by the symbols of the tracer."""
    found: dict[str, str] = {}
    examples = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"][-len(module.inputs) :]
    for like, (_, axes) in zip(examples, module.inputs.values(), strict=True):
        for axis, name in axes.items():
            found.setdefault(str(like.shape[axis]), name)
    return found
