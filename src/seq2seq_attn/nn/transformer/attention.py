"""Multi-head attention between sequences of states: score -> normalize -> context."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.products.linear import Linear

LONGEST_PLAIN = {torch.bfloat16: 256, torch.float16: 256, torch.float32: 64, torch.float64: 64}
"""Keys up to which a CPU learns faster through three plain operations than through torch's fused kernel.

That kernel works through blocks of keys, and its gradient takes as long for a few keys as for a block: for 40
sentences of 15 tokens and 4 heads of 64 features 39 ms in bfloat16, where that of the plain operations takes 2. It is
made for long sequences, whose energies do not fit into the cache.
"""


class KeysValues(NamedTuple):
    """What the heads of one layer look at: made once, then only read."""

    keys: Float[Tensor, "batch heads key_len head_size"]
    values: Float[Tensor, "batch heads key_len head_size"]

    def select(self, rows: Int[Tensor, " kept"]) -> KeysValues:
        """Keep ``rows``, repeats allowed."""
        return KeysValues(self.keys.index_select(0, rows), self.values.index_select(0, rows))

    def extend(self, new: KeysValues) -> KeysValues:
        """Put the positions of ``new`` behind these."""
        if self.keys.shape[2] == 0:
            return new
        return KeysValues(torch.cat([self.keys, new.keys], 2), torch.cat([self.values, new.values], 2))

    def nothing(self) -> KeysValues:
        """Return keys and values like these, of no position."""
        return KeysValues(self.keys[:, :, :0], self.values[:, :, :0])


class TransformerAttention(nn.Module):
    r"""Look at one sequence of states from another, with several heads at once.

    .. math::
        head_h = softmax(Q W^Q_h (K W^K_h)^\top / \sqrt{d_h})\, V W^V_h \qquad
        MultiHead = [head_1; \ldots; head_H] W^O

    Vaswani et al. (2017), equation 1 and section 3.2.2. As in the equations, the four projections
    have no bias.

    Args:
        size: features of a state.
        heads: looks at once; each has an equal share of the features.

    Raises:
        ConfigError: if the heads do not divide the features.
    """

    def __init__(self, size: int, *, heads: int) -> None:
        super().__init__()
        if size % heads:
            raise ConfigError(
                f"model.transformer.heads: {heads} heads do not divide the {size} features of model.embedding_size"
            )
        self.heads = heads
        self.scale = 1.0 / math.sqrt(size // heads)
        self.query_layer = glorot_linear(size, size, bias=False)
        self.key_layer = glorot_linear(size, size, bias=False)
        self.value_layer = glorot_linear(size, size, bias=False)
        self.output_layer = glorot_linear(size, size, bias=False)

    def remember(self, states: Float[Tensor, "batch key_len size"]) -> KeysValues:
        """Make the keys and values of all heads."""
        return KeysValues(self._apart(self.key_layer(states)), self._apart(self.value_layer(states)))

    def forward(
        self,
        states: Float[Tensor, "batch query_len size"],
        memory: KeysValues,
        mask: Bool[Tensor, "batch_or_1 1 query_or_1 key_len"] | None,
        *,
        look: bool = False,
    ) -> tuple[Float[Tensor, "batch query_len size"], Float[Tensor, "batch heads query_len key_len"] | None]:
        """Return what every position found and, to those who ``look``, the weights of all heads.

        Args:
            states: what asks.
            memory: from :meth:`remember`.
            mask: True where a position may be looked at; every query needs one. None: everywhere.
            look: whether to return the weights; without, one fused kernel does all three steps where that is faster.
        """
        query = self._apart(self.query_layer(states))
        weights = None
        if look or _plain_is_faster(query, memory.keys):
            energies = query @ memory.keys.transpose(2, 3) * self.scale
            if energies.dtype in (torch.bfloat16, torch.float16):
                energies = energies.float()
            if mask is not None:
                energies = energies.masked_fill(~mask, float("-inf"))
            weights = energies.softmax(dim=-1)
            context = weights.to(memory.values.dtype) @ memory.values
        else:
            context = F.scaled_dot_product_attention(query, memory.keys, memory.values, mask, scale=self.scale)
        return self.output_layer(context.transpose(1, 2).flatten(2)), weights if look else None

    def _apart(self, states: Tensor) -> Float[Tensor, "batch heads len head_size"]:
        batch, length, size = states.shape
        return states.view(batch, length, self.heads, size // self.heads).transpose(1, 2)


def _plain_is_faster(query: Tensor, keys: Tensor) -> bool:
    learns = torch.is_grad_enabled() and (query.requires_grad or keys.requires_grad)
    return learns and query.device.type == "cpu" and keys.shape[2] <= LONGEST_PLAIN[query.dtype]


def glorot_linear(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    """Make a linear layer with Glorot-uniform weights and no first bias, as in the paper's own code."""
    layer = Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
