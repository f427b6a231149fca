"""A model of torch's among models of numpy's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.inference.prepare import PreparedModel


class OnNumpyState(NamedTuple):
    """The state of the model, selected by numpy's numbers."""

    state: Any
    device: torch.device

    def select(self, rows: Int[np.ndarray, " kept"]) -> OnNumpyState:
        """Keep ``rows``, repeats allowed."""
        with torch.inference_mode():
            return self._replace(state=self.state.select(_tensor(rows, self.device)))


class OnNumpy:
    """Lets a prepared model be searched with numpy's arrays, so that it can translate with exported models.

    Args:
        model: what computes.
        device: where it is.
    """

    def __init__(self, model: PreparedModel, device: torch.device) -> None:
        self.attends = model.attends
        self._model = model
        self._device = device

    def start(
        self, source: Int[np.ndarray, "batch source_len"], source_lengths: Int[np.ndarray, " batch"]
    ) -> OnNumpyState:
        """Encode a source batch; return the state before the first target token."""
        with torch.inference_mode():
            state = self._model.start(_tensor(source, self._device), _tensor(source_lengths, self._device))
        return OnNumpyState(state, self._device)

    def step(
        self, tokens: Int[np.ndarray, " rows"], state: OnNumpyState
    ) -> tuple[Float[np.ndarray, "rows vocab"], Float[np.ndarray, "rows source_len"], OnNumpyState]:
        """Read one target token per row and return the distribution of the next."""
        with torch.inference_mode():
            log_probs, weights, after = self._model.step(_tensor(tokens, self._device), state.state)
            return _array(log_probs), _array(weights), state._replace(state=after)


def _tensor(numbers: Int[np.ndarray, "*any"], device: torch.device) -> Int[Tensor, "*any"]:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(device)


def _array(numbers: Float[Tensor, "*any"]) -> Float[np.ndarray, "*any"]:
    found: Float[np.ndarray, "*any"] = numbers.float().cpu().numpy()
    return found
