"""An average of the parameters that follows them while they learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """The exponential moving average of a model's parameters (EMA).

    After every step that the optimizer really makes, the n-th of them,

        average <- decay_n * average + (1 - decay_n) * parameters,   decay_n = min(decay, (1 + n) / (10 + n))

    The average is Polyak and Juditsky's (1992, https://doi.org/10.1137/0330046) with weights that fade, as in
    Inception (Szegedy et al. 2016, section 8, https://arxiv.org/abs/1512.00567). The warm-up of the decay is that of
    TensorFlow (``tf.train.ExponentialMovingAverage`` with ``num_updates``): without it the random parameters of the
    start would stay in the average for some ``1 / (1 - decay)`` steps.

    The model keeps the raw parameters, which the optimizer moves. Inside :meth:`applied` it has the
    averaged ones.

    Args:
        model: whose parameters are averaged, all of them.
        optimizer: after whose steps it is done.
        decay: share of the old average that stays, above 0 and below 1.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._raw = dict(model.named_parameters())  # a tied one stands here once
        self._average = {name: parameter.detach().clone() for name, parameter in self._raw.items()}
        # not called for a step that is left out; one that a fused kernel leaves out by itself, without telling,
        # takes the same parameters in once more
        optimizer.register_step_post_hook(lambda *_: self.update())

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters as they are now into the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        # in place, one kernel for all where the device has one: average += (1 - decay) * (parameters - average)
        torch._foreach_lerp_(list(self._average.values()), list(self._raw.values()), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averaged parameters until the block ends; nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self._raw.items():
            parameter.data, self._average[name] = self._average[name], parameter.data

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the average, which is the model of its checkpoint."""
        return {"updates": self.updates, "parameters": {name: raw.detach() for name, raw in self._raw.items()}}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the model as it is for the average, and give it back the raw parameters."""
        raw = state["parameters"]
        for name, parameter in self._raw.items():
            self._average[name].copy_(parameter)
            parameter.copy_(raw[name])
        self.updates = int(state["updates"])
