"""Local-p: the decoder says where to look."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.windows.base import Window, Windowed, last_tokens
from seq2seq_attn.products.linear import Linear


class LocalPredictive(Window):
    r"""A center predicted from the decoder state, and a Gaussian around it.

    .. math::
        p_t = (S - 1) \cdot sigmoid(v_p^\top \tanh(W_p s_t)) \qquad
        \alpha_t(j) = align(s_t, h_j) \exp\Bigl(-\frac{(j - p_t)^2}{2 \sigma^2}\Bigr), \quad \sigma = D / 2

    Luong, Pham and Manning (2015), equations 9 and 10, https://arxiv.org/abs/1508.04025. ``align`` is normalized
    over the window :math:`[p_t - D, p_t + D]`, and the Gaussian only takes weight away, so the weights sum to less
    than one. Through it alone gradients reach :math:`p_t`.

    The paper has :math:`S`, the length of the sentence, before the sigmoid. Positions here are counted from 0, so
    :math:`S - 1` is what lets the center be any position from the first token to the last; it also keeps a token
    in every window.
    """

    paper: ClassVar[str] = "Luong et al. 2015, eq. 9 and 10"
    summary: ClassVar[str] = "the decoder predicts the center of a window, with a Gaussian around it"
    keeps_sum: ClassVar[bool] = False

    def __init__(self, *, query_size: int, size: int) -> None:
        super().__init__(query_size=query_size, size=size)
        self.hidden_layer = Linear(query_size, query_size, bias=False)
        self.position_layer = nn.Linear(query_size, 1, bias=False)

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> Windowed:
        """Predict a center for every query."""
        centers = self.centers(query, memory)
        positions = torch.arange(memory.mask.shape[1], dtype=centers.dtype, device=centers.device)
        distances = positions - centers.unsqueeze(2)
        near = distances.detach().abs() <= self.size
        # -(j - p)^2 / (2 sigma^2), where sigma is half the size
        factor = torch.exp(distances.square() * (-2 / self.size**2))
        return Windowed(near & memory.mask.unsqueeze(1), factor, state)

    def centers(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory
    ) -> Float[Tensor, "batch target_len"]:
        """Return :math:`p_t`, in single precision at least: in bfloat16, positions past 256 are not even whole."""
        hidden = torch.tanh(self.hidden_layer(query))
        if hidden.dtype in (torch.bfloat16, torch.float16):
            hidden = hidden.float()
        # a product and a sum, because mixed precision would do the layer's in half
        relative = torch.sigmoid((hidden * self.position_layer.weight.to(hidden.dtype)).sum(-1))
        return relative * last_tokens(memory).to(relative.dtype)
