"""Several looks at once, each in a subspace of its own."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory
from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.products.linear import Linear


class MultiHeadAttention(Attention):
    r"""Multi-head attention of a recurrent decoder, :math:`head_h = attend(W^Q_h s, W^K_h H, W^V_h H)`.

    Vaswani et al. (2017), section 3.2.2, https://arxiv.org/abs/1706.03762; over recurrent states as in
    Chen et al. (2018, RNMT+), https://arxiv.org/abs/1804.09849. Every head runs the same inner
    mechanism, whose own parameters the heads share, in a subspace that is its own. The
    paper's output matrix is left out: the decoder multiplies the context by a matrix anyway, and
    the product of two is one. The weights given out are the mean over the heads.

    Heads stand beside the sentences of the batch while the inner mechanism runs, so whatever it
    can do (windows, coverage, sparse weights, monotonic steps) every head does by itself.

    Args:
        inner: the mechanism of one head; compares queries and keys of one size, the head's share of the
            hidden size.
        heads: how many.
        query_size: features of the decoder state.
        value_size: features of an encoder state.
    """

    paper: ClassVar[str] = "Vaswani et al. 2017, 3.2.2; Chen et al. 2018"
    summary: ClassVar[str] = "N looks at once, each in a subspace of its own"

    def __init__(self, inner: ScoredAttention, *, heads: int, query_size: int, value_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=heads * inner.query_size)
        self.inner = inner
        self.heads = heads
        self.recurrent = inner.recurrent
        self.sums_to_one = inner.sums_to_one
        self.query_layer = Linear(query_size, heads * inner.query_size, bias=False)
        self.key_layer: nn.Linear | None = None
        if inner.score.reads_keys:
            self.key_layer = Linear(value_size, heads * inner.query_size, bias=False)
        self.value_layer = Linear(value_size, value_size, bias=False)

    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Zero the padding and project it into every head's subspace."""
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        averaged = self._fold(self.value_layer(values))
        compared = averaged if self.key_layer is None else self._fold(self.key_layer(values))
        memory = self.inner.remember(averaged, compared, self._repeat(mask))
        return Memory(self._apart(memory.values), self._apart(memory.keys), mask)

    def start(self, memory: Memory) -> AttentionState:
        """Return the inner state of all heads."""
        return tuple(self._apart(part) for part in self.inner.start(self._together(memory)))

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Attend with every head; the contexts stand side by side."""
        context, weights, state = self.look(query, memory, state)
        return Attended(context.transpose(1, 2).flatten(2), weights.mean(1), state)

    def look(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState
    ) -> tuple[
        Float[Tensor, "batch heads target_len value"],
        Float[Tensor, "batch heads target_len source_len"],
        AttentionState,
    ]:
        """Attend with every head; give the contexts and weights of each."""
        folded = tuple(part.flatten(0, 1) for part in state)
        found = self.inner(self._fold(self.query_layer(query)), self._together(memory), folded)
        return self._apart(found.context), self._apart(found.weights), tuple(self._apart(part) for part in found.state)

    def _fold(self, features: Tensor) -> Tensor:
        """From (batch, len, heads * size) to (batch * heads, len, size)."""
        batch, length, size = features.shape
        return features.view(batch, length, self.heads, size // self.heads).transpose(1, 2).flatten(0, 1)

    def _apart(self, folded: Tensor) -> Tensor:
        heads: Tensor = torch.unflatten(folded, 0, (-1, self.heads))  # a view cannot tell the batch of no features
        return heads

    def _together(self, memory: Memory) -> Memory:
        return Memory(memory.values.flatten(0, 1), memory.keys.flatten(0, 1), self._repeat(memory.mask))

    def _repeat(self, mask: Tensor) -> Tensor:
        return mask.repeat_interleave(self.heads, dim=0)
