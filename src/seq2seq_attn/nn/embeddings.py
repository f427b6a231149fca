"""Token embeddings."""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor, nn


class TokenEmbedding(nn.Module):
    r"""Vectors of tokens, looked up and scaled to about unit variance.

    The table itself is small (standard deviation :math:`1/\sqrt{size}`), so that an output
    layer can share it; the look-up multiplies by :math:`\sqrt{size}` (Vaswani et al. 2017,
    section 3.4). Features of unit size let the recurrent layers learn from the first update.

    Args:
        vocabulary_size: number of tokens.
        size: features of a vector.
        padding: the token whose vector begins at zero and learns nothing from being looked up; an
            output layer that shares the table moves it all the same, and nothing reads it.
    """

    def __init__(self, vocabulary_size: int, size: int, *, padding: int) -> None:
        super().__init__()
        self.size = size
        self.scale = math.sqrt(size)
        self.table = nn.Embedding(vocabulary_size, size, padding_idx=padding)
        nn.init.normal_(self.table.weight, std=1.0 / self.scale)
        nn.init.zeros_(self.table.weight[padding])

    def forward(self, tokens: Int[Tensor, "batch len"]) -> Float[Tensor, "batch len size"]:
        """Return the vectors of ``tokens``."""
        return self.table(tokens) * self.scale
