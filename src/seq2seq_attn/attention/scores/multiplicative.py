"""Multiplicative scores: dot products of query and key."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.products.linear import Linear


class LuongDotScore(Score):
    r"""Luong's "dot" energies, :math:`e_{ij} = s_i^\top h_j`: no parameters.

    Luong, Pham and Manning (2015), section 3.1, https://arxiv.org/abs/1508.04025.

    Raises:
        ConfigError: if ``query_size`` and ``value_size`` differ.
    """

    paper: ClassVar[str] = "Luong et al. 2015, 3.1"
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


class LuongScaledDotScore(LuongDotScore):
    r"""Scaled dot product, :math:`e_{ij} = s_i^\top h_j / \sqrt{size}`: no parameters.

    Vaswani et al. (2017), equation 1, https://arxiv.org/abs/1706.03762. A dot product of many features
    has a large variance, and softmax of large energies has hardly any gradient.

    Raises:
        ConfigError: if ``query_size`` and ``value_size`` differ.
    """

    paper: ClassVar[str] = "Vaswani et al. 2017, eq. 1"
    summary: ClassVar[str] = "dot product over the square root of its size; sizes as luong-dot"

    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies."""
        return super().forward(query * self.query_size**-0.5, keys)


class LuongGeneralScore(Score):
    r"""Luong's "general" energies, :math:`e_{ij} = s_i^\top W h_j`.

    Luong, Pham and Manning (2015), section 3.1, https://arxiv.org/abs/1508.04025.

    The matrix is learned as :math:`W = W' / \sqrt{query}`, which changes no function that can be
    learned but how fast it is: an update that moves all entries of an unscaled matrix by a small
    step moves an energy by that step times the product of both sizes, and the weights are all 0 and 1
    before they are right.
    """

    paper: ClassVar[str] = "Luong et al. 2015, 3.1"
    summary: ClassVar[str] = "bilinear: dot product after one learned matrix; the default"

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.key_layer = Linear(value_size, query_size, bias=False)
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
