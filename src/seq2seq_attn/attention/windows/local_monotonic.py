"""Local-m: the window moves on by one position at every step."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.windows.base import Window, Windowed, last_tokens


class LocalMonotonic(Window):
    r"""Source and target in the same order: the center is :math:`p_t = t`, the window :math:`[p_t - D, p_t + D]`.

    Luong, Pham and Manning (2015), section 3.2, https://arxiv.org/abs/1508.04025. The part of the window that
    lies outside the sentence is ignored, as in the paper. The paper does not say what a target has that is longer
    than its source by more than :math:`D`; here the center stays on the last source token, the end-of-sentence symbol.
    """

    paper: ClassVar[str] = "Luong et al. 2015, 3.2"
    summary: ClassVar[str] = "the window moves on by one position at every step"
    state_parts: ClassVar[int] = 1

    def start(self, memory: Memory) -> AttentionState:
        """Begin with the first token: the state counts the steps."""
        return (torch.zeros(memory.mask.shape[0], dtype=torch.int64, device=memory.mask.device),)

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> Windowed:
        """Center the window on as many positions as there are queries, one behind the other."""
        target_len, source_len = query.shape[1], memory.mask.shape[1]
        numbers = torch.arange(max(target_len, source_len), device=memory.mask.device)
        centers = torch.minimum(state[0].unsqueeze(1) + numbers[:target_len], last_tokens(memory))
        near = (numbers[:source_len] - centers.unsqueeze(2)).abs() <= self.size
        return Windowed(near & memory.mask.unsqueeze(1), None, (state[0] + target_len,))
