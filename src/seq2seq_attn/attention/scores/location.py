"""Location score: where to look, without looking at what is there."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.errors import DataError

POSITIONS = 1024
"""Source positions that there are rows for."""


class LuongLocationScore(Score):
    r"""Luong's "location" energies, :math:`e_i = W s_i`: one row of :math:`W` for each source position.

    Luong, Pham and Manning (2015), equation 8, https://arxiv.org/abs/1508.04025. The energies depend on the decoder
    state alone. For a short sentence only the first rows are used, and only they are multiplied, as in the paper;
    where the paper ignores the words of a long sentence that there are no rows for, this refuses the sentence.

    Raises:
        DataError: when a source is longer than ``POSITIONS``.
    """

    paper: ClassVar[str] = "Luong et al. 2015, eq. 8"
    summary: ClassVar[str] = "from the decoder state alone: one learned row per source position"
    reads_keys: ClassVar[bool] = False

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.position_layer = nn.Linear(query_size, POSITIONS, bias=False)

    def project(self, values: Float[Tensor, "batch source_len value"]) -> Float[Tensor, "batch source_len key"]:
        """Return keys without features: only their number counts."""
        positions, length = self.position_layer.out_features, values.shape[1]
        if length > positions:
            raise DataError(
                f"a source sentence has {length} tokens, but the location score of luong-location knows "
                f"{positions} source positions; split the sentence, or train with another model.attention"
            )
        return values[:, :, :0]

    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies."""
        return F.linear(query, self.position_layer.weight[: keys.shape[1]])
