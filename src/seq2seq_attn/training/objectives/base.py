"""What every objective of training is called with, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.weight_losses import WEIGHT_LOSSES

R_DROP = "r_drop_loss"
RISK = "risk"
PARTS = (*WEIGHT_LOSSES, R_DROP, RISK)
"""Names of all parts that there are; they are logged per target token, without their factors."""


class Lost(NamedTuple):
    """What a batch costs; every number is a sum over its target tokens."""

    total: Float[Tensor, ""]  # what training descends
    likelihood: Float[Tensor, ""]  # negative log-likelihood, as it is logged; carries no gradient
    parts: Mapping[str, Float[Tensor, ""]] = MappingProxyType({})
    """What else is in the total, by the name it is logged under, without its factor; may carry a gradient."""


class Objective(ABC):
    """From a model and a batch to what is lost."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that every batch brings besides the likelihood."""
        return ()

    @abstractmethod
    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return what ``batch`` costs.

        Args:
            model: in training mode.
            batch: on the model's device.
            step: steps of the optimizer that have been made so far.
        """
