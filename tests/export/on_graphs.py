"""A model and its graphs side by side: the same sentences, the same rows, step by step.

Run as a program it compares the models of ``MODELS`` and writes into a folder how far they are apart, in a process of
its own: shapes that are checked at every call, as they are in tests, cannot be traced. Several such processes on one
folder share the models among them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from building import BOS, EOS, PAD, SOURCE_VOCABULARY, TARGET_VOCABULARY, Case, papers_wiring, small_model
from specs import NAMES
from torch import Tensor
from transformer_building import small_transformer

from seq2seq_attn.attention import register_attention
from seq2seq_attn.attention.scores.multiplicative import LuongGeneralScore
from seq2seq_attn.export.convert import convert_model
from seq2seq_attn.export.converting.builder import OPSET
from seq2seq_attn.export.converting.weights import Weights
from seq2seq_attn.export.tracing import CannotExport
from seq2seq_attn.exported.manifest import FORMAT, Manifest
from seq2seq_attn.exported.session import OnnxModel
from seq2seq_attn.files import write_atomic
from seq2seq_attn.models.base import Seq2Seq

SURVIVORS = ([0, 1, 2, 3, 4], [4, 4, 0, 2, 2, 2, 1], [6, 0, 3], [1, 1, 0, 2])
"""Rows that go on after each step: repeated, dropped, in another order; of a batch of five."""

BOTH_WAYS: dict[str, Any] = {"bidirectional": True, "layers": 2}
OTHERS: dict[str, tuple[Case, dict[str, Any]]] = {
    "not fed, tied": (
        Case("luong-general+normalize=sparsemax", "luong", False),
        {"tie_embeddings": "target", "decoder": {"layers": 2}},
    ),
    "GRUs, conditional": (
        Case("luong-general+normalize=entmax-1.5", "conditional", True),
        {
            "encoder": {**BOTH_WAYS, "cell": "gru", "residual": True},
            "decoder": {"cell": "gru", "layers": 2, "residual": True},
            "bridge": "last",
        },
    ),
    "LSTMs, conditional": (Case("luong-dot+window=local-m+window_size=1", "conditional", True), {}),
    "normalized LSTMs, GNMT": (
        Case("luong-general+temperature=0.5", "gnmt", True),
        {
            "encoder": {**BOTH_WAYS, "layer_norm": True, "bidirectional_layers": 1},
            "decoder": {"layer_norm": True, "layers": 2, "residual": True},
            "bridge": "zero",
        },
    ),
    "normalized GRUs": (
        Case("bahdanau+coverage=neural", "bahdanau", True),
        {"encoder": {"layer_norm": True, "cell": "gru"}, "decoder": {"layer_norm": True, "cell": "gru"}},
    ),
    "read backward": (
        Case("luong-general", "luong", True),
        {"encoder": {"direction": "backward", "bidirectional": False, "layers": 2}, "bridge": "last"},
    ),
    "normalized, read backward": (
        Case("luong-dot", "luong", True),
        {"encoder": {"direction": "backward", "bidirectional": False, "layer_norm": True}, "bridge": "last"},
    ),
    "copying, with a history": (Case("bahdanau+coverage=fertility", "bahdanau", True), {"copying": True}),
    "copying, shared memory": (Case("luong-concat", "luong", True), {"copying": True}),
    "MoChA with heads": (Case("luong-scaled-dot+monotonic=mocha+heads=2", "luong", True), {}),
    "heads without keys": (Case("luong-location+heads=2", "luong", True), {}),
    "heads with windows": (Case("multi-head+heads=2+window=local-p", "gnmt", True), {}),
}
LAYERS = {"encoder_layers": 1, "decoder_layers": 2}
MODELS: dict[str, Callable[[], Seq2Seq]] = {
    **{name: lambda name=name: small_model(papers_wiring(name), dtype=torch.float32) for name in NAMES},
    **{
        name: lambda case=case, changes=changes: small_model(case, dtype=torch.float32, **changes)
        for name, (case, changes) in OTHERS.items()
    },
    "Transformer": lambda: small_transformer(dtype=torch.float32, transformer=LAYERS),
    "copying Transformer": lambda: small_transformer(
        "post", dtype=torch.float32, transformer=LAYERS, copying=True, tie_embeddings="all", vocabulary=(19, 19)
    ),
}


def graphs_of(model: Seq2Seq, folder: Path, weights: Weights | None = None) -> OnnxModel:
    """Write the graphs into a folder, check them, and open them."""
    graphs = convert_model(model, weights)
    for name, graph in (("encoder.onnx", graphs.encoder), ("step.onnx", graphs.step)):
        onnx.checker.check_model(graph, full_check=True)
        assert {node.domain for node in graph.graph.node} <= {""}, "an operation that is not ONNX's own"
        onnx.save(graph, folder / name)
    manifest = Manifest(
        name="small",
        source_language="en",
        target_language="pt",
        architecture="rnn",
        attention="",
        checkpoint={},
        precision="float32",
        attends=model.attends,
        sums_to_one=True,
        parameters=0,
        encoder="encoder.onnx",
        step="step.onnx",
        memory=graphs.memory,
        state=graphs.state,
        shared_memory=graphs.shared_memory,
        vocabulary={"source": SOURCE_VOCABULARY, "target": TARGET_VOCABULARY},
        special={},
        max_source_tokens=1024,
        decoding={},
        opset=OPSET,
        files={},
        format=FORMAT,
    )
    return OnnxModel(folder, manifest)


def batch(*lengths: int, seed: int = 1) -> tuple[Any, Any]:
    """Sentences of random words, as arrays."""
    generator = np.random.default_rng(seed)
    source = np.full((len(lengths), max(lengths)), PAD)
    for row, length in zip(source, lengths, strict=True):
        row[: length - 1] = generator.integers(EOS + 1, SOURCE_VOCABULARY, length - 1)
        row[length - 1] = EOS
    return source, np.array(lengths)


def greatest_difference(model: Seq2Seq, graph: OnnxModel, source: Any, lengths: Any, survivors: Any) -> float:
    """Search with both, with rows that come, go and change places; compare probabilities and weights."""
    theirs: Any = graph.start(source, lengths)
    worst = 0.0
    with torch.no_grad():
        ours = model.start(torch.from_numpy(source), torch.from_numpy(lengths))
        tokens = np.full(len(lengths), BOS)
        for number, kept in enumerate(survivors):
            rows = np.array(kept)
            ours, theirs, tokens = ours.select(torch.from_numpy(rows)), theirs.select(rows), tokens[rows]
            wanted = model.step(torch.from_numpy(tokens), ours)
            found = graph.step(tokens, theirs)
            for one, other in (
                (np.exp(found.log_probs), wanted.log_probs.exp().numpy()),
                (found.weights, wanted.weights.numpy()),
            ):
                assert one.shape == other.shape
                assert one.dtype == np.float32
                worst = max(worst, float(np.abs(one - other).max()))
            ours, theirs = wanted.state, found.state
            tokens = (tokens * 3 + number + np.arange(len(rows))) % TARGET_VOCABULARY
    return worst


def compare(model: Seq2Seq, folder: Path) -> dict[str, Any]:
    """Return how far the graphs are from the model, in batches of several sizes, and what padding does to them."""
    graph = graphs_of(model, folder)
    source, lengths = batch(4, 9, 1, 6, 2)
    alone = graph.step(np.array([BOS]), graph.start(source[2:3, :1], lengths[2:3]))
    padded = graph.step(np.full(5, BOS), graph.start(source, lengths))
    return {
        "in a batch": greatest_difference(model, graph, source, lengths, SURVIVORS),
        "one sentence of one token": greatest_difference(model, graph, *batch(1), [[0], [0, 0, 0], [2]]),
        "longer than any before": greatest_difference(model, graph, *batch(13, 3), [[0, 1], [0], [0]]),
        "padded and not": float(np.abs(np.exp(padded.log_probs[2]) - np.exp(alone.log_probs[0])).max()),
        "weight of padding": float(padded.weights[2, 1:].max()),
    }


class Asking(LuongGeneralScore):
    """Does one thing or another, as its numbers are."""

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().forward(query, keys) * (2 if bool(query.sum() > 0) else 1)


class Exotic(LuongGeneralScore):
    """Uses an operation that ONNX does not have."""

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.special.i0(super().forward(query, keys))


def refusals() -> dict[str, str]:
    """Return what is said of mechanisms that no graph can be made of."""
    found = {}
    for score in (Asking, Exotic):
        name = score.__name__.lower()
        register_attention(name, score)
        try:
            convert_model(small_model(papers_wiring(name), dtype=torch.float32))
        except CannotExport as error:
            found[name] = str(error)
    return found


def is_mine(claim: Path) -> bool:
    """Say whether this process is the first to come for something."""
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def work(output: Path) -> None:
    """Write ``NUMBER.json`` for each model that no other process has begun with, ``refusals.json`` among them."""
    for number, (name, make) in enumerate(MODELS.items()):
        if is_mine(output / f"{number}.begun"):
            with tempfile.TemporaryDirectory() as folder:
                found = compare(make().eval(), Path(folder))  # monotonic attention makes choices in search
            write_atomic(output / f"{number}.json", json.dumps({name: found}))
    if is_mine(output / "refusals.begun"):
        write_atomic(output / "refusals.json", json.dumps({"refusals": refusals()}))


if __name__ == "__main__":
    work(Path(sys.argv[1]))
