"""Step two: from energies to weights, non-negative, summing to one over the source, zero on padding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor, nn


class Normalizer(nn.Module, ABC):
    """Turn the energies of each query into weights.

    Every row of the mask needs one True at least (a batch always has the end-of-sentence
    symbol). Half precision energies are normalized in float32, where their differences still count.
    """

    paper: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    @abstractmethod
    def forward(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        mask: Bool[Tensor, "batch target_or_1 source_len"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the weights: exactly 0 where the mask is False, whatever stands there."""
