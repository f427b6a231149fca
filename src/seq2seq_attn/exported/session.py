"""An exported model behind the interface that search knows: onnxruntime sessions, NumPy arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import CheckpointError, MissingExtra
from seq2seq_attn.exported.manifest import Manifest
from seq2seq_attn.exported.sharing import Indices, Sharing

Array = NDArray[Any]


class OnnxState(NamedTuple):
    """What search carries: the source, read once, and where the decoder stands."""

    memory: tuple[Array, ...]  # first axis: sentences where they are shared, rows where not
    state: tuple[Array, ...]  # first axis: rows
    sharing: Sharing | None

    def select(self, rows: Indices) -> OnnxState:
        """Keep ``rows``, repeats allowed."""
        rows = np.asarray(rows)
        state = tuple(part[rows] for part in self.state)
        if self.sharing is None:
            return OnnxState(tuple(part[rows] for part in self.memory), state, None)
        sharing, kept = self.sharing.select(rows)
        memory = self.memory if kept is None else tuple(part[kept] for part in self.memory)
        return OnnxState(memory, state, sharing)


class OnnxStep(NamedTuple):
    """One step of search, for all hypotheses alive."""

    log_probs: NDArray[np.float32]  # (rows, vocab)
    weights: NDArray[np.float32]  # (rows, source_len)
    state: OnnxState


class OnnxModel:
    """The graphs of an exported folder: ``start`` and ``step``, for any search.

    Args:
        folder: of the export.
        manifest: of the folder.
        threads: that one operation may use; all that this process may use if None.

    Raises:
        CheckpointError: if onnxruntime cannot read the graphs.
        MissingExtra: if onnxruntime is not installed.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int | None = None) -> None:
        self.attends = manifest.attends
        self.sums_to_one = manifest.sums_to_one
        self._manifest = manifest
        threads = available_threads() if threads is None else threads
        self._encoder = open_session(folder / manifest.encoder, threads)
        self._step = open_session(folder / manifest.step, threads)
        self._reads = [given.name for given in self._step.get_inputs()]
        self._next = [f"next.{name.partition('.')[2]}" for name in manifest.state]

    def start(self, source: Array, source_lengths: Array) -> OnnxState:
        """Read a source batch; return the state before the first target token, one row per sentence.

        Args:
            source: token ids, shape (batch, source_len), the end-of-sentence token and padding included.
            source_lengths: tokens of each sentence, shape (batch,).
        """
        names = [*self._manifest.memory, *self._manifest.state]
        given = {"source": _ids(source), "source_lengths": _ids(source_lengths)}
        found = self._encoder.run(names, given)
        memory = tuple(found[: len(self._manifest.memory)])
        batch = len(given["source"])
        sharing = Sharing(batch, np.arange(batch)) if self._manifest.shared_memory else None
        return OnnxState(memory, tuple(found[len(memory) :]), sharing)

    def step(self, tokens: Array, state: OnnxState) -> OnnxStep:
        """Read one target token per row and return the distribution of the next."""
        given = {"tokens": _ids(tokens)}
        given |= zip(self._manifest.memory, state.memory, strict=True)
        given |= zip(self._manifest.state, state.state, strict=True)
        if state.sharing is not None:
            given |= state.sharing.inputs
        log_probs, weights, *changed = self._step.run(
            ["log_probs", "weights", *self._next], {name: given[name] for name in self._reads}
        )
        return OnnxStep(log_probs, weights, state._replace(state=tuple(changed)))


def open_session(path: Path, threads: int) -> Any:
    """Make a graph ready to run on the CPU.

    Raises:
        CheckpointError: if onnxruntime cannot read it.
        MissingExtra: if onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtra("an exported model", "onnxruntime", "export") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; they are raised, too
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has many kinds, of no common base
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: onnxruntime {onnxruntime.__version__} cannot open it: {reason}") from error


def available_threads() -> int:
    """Return how many threads are worth having: ``OMP_NUM_THREADS``, or the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ids(numbers: Array) -> Indices:
    return np.ascontiguousarray(numbers, dtype=np.int64)
