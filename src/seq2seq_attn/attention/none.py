"""No attention: what a decoder without it would be given."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory


class NoAttention(Attention):
    """The fixed-vector encoder-decoder: the decoder never looks back at the source.

    All it knows of the source is its first state, made by the bridge (Sutskever, Vinyals
    and Le 2014, https://arxiv.org/abs/1409.3215). The context has no features and all
    weights are zero, so the same decoder runs with it and without it.
    """

    paper: ClassVar[str] = "Sutskever et al. 2014"
    summary: ClassVar[str] = "no attention: the source is one fixed vector, the decoder's first state"
    attends: ClassVar[bool] = False
    sums_to_one: bool = False

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        del value_size
        super().__init__(query_size=query_size, value_size=0, hidden_size=hidden_size)

    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Keep only the mask: the encoder states are not needed again."""
        nothing = values[:, :, :0]
        return Memory(nothing, nothing, mask)

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Return a context without features and weights of zero."""
        batch, target_len, _ = query.shape
        weights = query.new_zeros(batch, target_len, memory.mask.shape[1])
        return Attended(query[:, :, :0], weights, state)
