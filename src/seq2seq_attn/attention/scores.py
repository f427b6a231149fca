"""The scores: how relevant is a key to a query?  One class per paper's equation."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Score, Wiring
from seq2seq_attn.errors import ConfigError


class AdditiveScore(Score):
    r"""The part that Bahdanau's and Luong's additive scores share, :math:`v^\top \tanh(W s + U h_j + b)`."""

    has_bias: ClassVar[bool] = False

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.query_layer = nn.Linear(query_size, hidden_size, bias=False)
        self.key_layer = nn.Linear(value_size, hidden_size, bias=self.has_bias)
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
        hidden = torch.tanh(self.query_layer(query).unsqueeze(2) + keys.unsqueeze(1))
        return self.energy_layer(hidden).squeeze(-1)


class BahdanauScore(AdditiveScore):
    r"""Additive energies, :math:`e_{ij} = v^\top \tanh(W s_{i-1} + U h_j)`.

    Bahdanau, Cho and Bengio (2015), appendix A.1.2, https://arxiv.org/abs/1409.0473.
    There is one bias, under the tanh, which the equation does not show.
    """

    paper: ClassVar[str] = "Bahdanau et al. 2015, A.1.2"
    summary: ClassVar[str] = "additive: a small network compares state and position"
    wiring: ClassVar[Wiring] = "bahdanau"
    has_bias: ClassVar[bool] = True


class LuongDotScore(Score):
    r"""Luong's "dot" energies, :math:`e_{ij} = s_i^\top h_j`: no parameters.

    Luong, Pham and Manning (2015), equation 8, https://arxiv.org/abs/1508.04025.

    Raises:
        ConfigError: if ``query_size`` and ``value_size`` differ.
    """

    paper: ClassVar[str] = "Luong et al. 2015, eq. 8"
    summary: ClassVar[str] = "dot product; decoder and encoder states must be of one size"

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        if query_size != value_size:
            raise ConfigError(
                f"model.attention: a dot score compares vectors of one size, but the decoder state has "
                f"{query_size} features and the encoder states have {value_size} (both directions together); "
                f"make model.decoder.hidden_size {value_size} or use luong-general"
            )

    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies."""
        return query @ keys.mT


class LuongGeneralScore(Score):
    r"""Luong's "general" energies, :math:`e_{ij} = s_i^\top W h_j`.

    Luong, Pham and Manning (2015), equation 8, https://arxiv.org/abs/1508.04025.

    The matrix is learned as :math:`W = W' / \sqrt{query}`, which changes no function that can be
    learned but how fast it is: an update that moves all entries of an unscaled matrix by a small
    step moves an energy by that step times the product of both sizes, and the weights are all 0 and 1
    before they are right.
    """

    paper: ClassVar[str] = "Luong et al. 2015, eq. 8"
    summary: ClassVar[str] = "bilinear: dot product after one learned matrix; the default"

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.key_layer = nn.Linear(value_size, query_size, bias=False)
        self.scale = query_size**-0.5

    def project(self, values: Float[Tensor, "batch source_len value"]) -> Float[Tensor, "batch source_len key"]:
        """Compute :math:`W h_j`."""
        return self.key_layer(values) * self.scale

    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies."""
        return query @ keys.mT


class LuongConcatScore(AdditiveScore):
    r"""Luong's "concat" energies, :math:`e_{ij} = v^\top \tanh(W [s_i; h_j])`.

    Luong, Pham and Manning (2015), equation 8, https://arxiv.org/abs/1508.04025.
    The product :math:`W [s; h]` is computed as :math:`W_s s + W_h h`, the second part
    once per source sentence. Unlike Bahdanau's score it has no bias.
    """

    paper: ClassVar[str] = "Luong et al. 2015, eq. 8"
    summary: ClassVar[str] = "concatenation: additive, in Luong's order of update and attend"
