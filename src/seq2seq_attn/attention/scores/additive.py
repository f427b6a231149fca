"""Additive scores: a small network compares query and key."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Wiring
from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.products.linear import Linear


class AdditiveScore(Score):
    r"""The part that Bahdanau's and Luong's additive scores share, :math:`v^\top \tanh(W s + U h_j + b)`."""

    has_bias: ClassVar[bool] = False

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.query_layer = Linear(query_size, hidden_size, bias=False)
        self.key_layer = Linear(value_size, hidden_size, bias=self.has_bias)
        self.energy_layer = nn.Linear(hidden_size, 1, bias=False)

    def project(self, values: Float[Tensor, "batch source_len value"]) -> Float[Tensor, "batch source_len key"]:
        """Compute :math:`U h_j + b`, which no query changes."""
        return self.key_layer(values)

    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies."""
        # (batch, target_len, source_len, hidden), by far the largest tensor of this score: in place, so that
        # there is one of it and not two
        hidden = (self.query_layer(query).unsqueeze(2) + keys.unsqueeze(1)).tanh_()
        return F.linear(hidden, self.energy_weight).squeeze(-1)

    @property
    def energy_weight(self) -> Float[Tensor, "1 hidden"]:
        """Return v."""
        return self.energy_layer.weight


class BahdanauScore(AdditiveScore):
    r"""Additive energies, :math:`e_{ij} = v^\top \tanh(W s_{i-1} + U h_j)`.

    Bahdanau, Cho and Bengio (2015), appendix A.1.2, https://arxiv.org/abs/1409.0473.
    There is one bias, under the tanh, which the equation does not show.
    """

    paper: ClassVar[str] = "Bahdanau et al. 2015, A.1.2"
    summary: ClassVar[str] = "additive: a small network compares state and position"
    wiring: ClassVar[Wiring] = "bahdanau"
    has_bias: ClassVar[bool] = True


class BahdanauNormedScore(AdditiveScore):
    r"""Additive energies with weight normalization.

    .. math:: e_{ij} = g \frac{v^\top}{\lVert v \rVert} \tanh(W s_{i-1} + U h_j + b)

    Salimans and Kingma (2016), equation 2, https://arxiv.org/abs/1602.07868, on Bahdanau's score: the scale
    :math:`g` of the energies is learned apart from their direction. It begins at :math:`\lVert v \rVert`, so the
    first energies are those of Bahdanau's score. Raffel et al. (2017), section 2.5, begin at
    :math:`1/\sqrt{hidden}`, from which an optimizer with steps of one size takes long to get anywhere.
    """

    paper: ClassVar[str] = "Salimans and Kingma 2016, eq. 2"
    summary: ClassVar[str] = "additive, with the scale of the energies learned apart"
    wiring: ClassVar[Wiring] = "bahdanau"
    has_bias: ClassVar[bool] = True

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.scale = nn.Parameter(self.energy_layer.weight.detach().norm())

    @property
    def energy_weight(self) -> Float[Tensor, "1 hidden"]:
        """Return v over its length, times the learned scale."""
        weight = self.energy_layer.weight
        return weight * (self.scale / weight.norm())


class LuongConcatScore(AdditiveScore):
    r"""Luong's "concat" energies, :math:`e_{ij} = v^\top \tanh(W [s_i; h_j])`.

    Luong, Pham and Manning (2015), section 3.1, https://arxiv.org/abs/1508.04025.
    The product :math:`W [s; h]` is computed as :math:`W_s s + W_h h`, the second part
    once per source sentence. Unlike Bahdanau's score it has no bias.
    """

    paper: ClassVar[str] = "Luong et al. 2015, 3.1"
    summary: ClassVar[str] = "concatenation: additive, in Luong's order of update and attend"
