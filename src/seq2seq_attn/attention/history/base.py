"""What the score is told of the looks before this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory


class History(nn.Module, ABC):
    r"""Features of past weights, added to the keys: :math:`e_{ij} = score(s_i, k_j + W f_{ij})`.

    In an additive score that is one more term under the tanh, as in the papers; in a dot product it is
    one more term of the energy. :math:`W` begins at zero, so a mechanism with a history starts
    as the one without.

    Args of every constructor:
        query_size: features of the decoder state.
        value_size: features of an encoder state.
        key_size: features of a key.
    """

    paper: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    state_parts: ClassVar[int] = 1
    """Tensors in its state."""

    @abstractmethod
    def start(self, memory: Memory) -> AttentionState:
        """Return the state before the first decoder step."""

    @abstractmethod
    def features(self, memory: Memory, state: AttentionState) -> Float[Tensor, "batch source_len key"]:
        """Return what is added to the keys at this step."""

    @abstractmethod
    def update(
        self,
        query: Float[Tensor, "batch 1 query"],
        weights: Float[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> AttentionState:
        """Return the state after this step's weights."""


class FromZero(nn.Linear):
    """The layer :math:`W` between features of a history and the keys: without a bias, and zero at first.

    Histories are kept in the precision of weights, which may be higher than that of parameters.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        """Begin at zero."""
        nn.init.zeros_(self.weight)

    def forward(self, features: Float[Tensor, "*axes features"]) -> Float[Tensor, "*axes key"]:
        """Multiply, in the precision of the parameters."""
        return super().forward(features.to(self.weight.dtype))


def nothing_yet(memory: Memory, *sizes: int) -> Float[Tensor, "batch source_len *sizes"]:
    """Return zeros for each source position, in the precision of weights: float32 at least."""
    dtype = torch.promote_types(memory.values.dtype, torch.float32)
    return torch.zeros(*memory.mask.shape, *sizes, dtype=dtype, device=memory.mask.device)
