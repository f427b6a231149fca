"""Luong's order: update, then attend."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory
from seq2seq_attn.nn.decoders.base import Decoded, Decoder, DecoderState, side_by_side
from seq2seq_attn.nn.recurrent.stack import RecurrentStack
from seq2seq_attn.products.linear import Linear, layer_product


class LuongDecoder(Decoder):
    r"""Update, then attend (Luong et al. 2015, section 3, https://arxiv.org/abs/1508.04025).

    .. math::
        s_t = LSTM([y_{t-1}; \tilde{s}_{t-1}], s_{t-1}) \qquad
        c_t = attend(s_t) \qquad
        \tilde{s}_t = \tanh(W_c [c_t; s_t])

    With input feeding (section 3.3) the attentional vector :math:`\tilde{s}_{t-1}` goes into the next
    step. Without it nothing is fed back and the whole target runs at once.
    """

    def __init__(
        self,
        *,
        attention: Attention,
        stack: RecurrentStack,
        attentional_size: int,
        copy_gate: nn.Module | None = None,
    ) -> None:
        super().__init__(attention=attention, stack=stack, attentional_size=attentional_size, copy_gate=copy_gate)
        self.combine = Linear(attention.context_size + stack.hidden_size, attentional_size, bias=False)

    @property
    def feed_size(self) -> int:
        """Features of the attentional vector, where it is fed back."""
        return self.stack.fed_size

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded``; in a loop only where a step needs the one before it."""
        if self.feed_size:
            return self._step_by_step(embedded, memory, state)
        outputs, recurrent = self.stack(embedded, state.recurrent)
        context, weights, attention_state = self._attend(outputs, memory, state.attention)
        features = torch.tanh(self.combine(side_by_side(context, outputs)))
        generate = self.generate(context, outputs, embedded)
        return Decoded(features, weights, DecoderState(recurrent, state.feed, attention_state), generate)

    def _attend(self, queries: Tensor, memory: Memory, state: AttentionState) -> Attended:
        if not self.attention.recurrent or queries.shape[1] == 1:
            return self.attention(queries, memory, state)
        contexts, all_weights = [], []
        for query in queries.unbind(1):
            context, weights, state = self.attention(query.unsqueeze(1), memory, state)
            contexts.append(context)
            all_weights.append(weights)
        return Attended(torch.cat(contexts, 1), torch.cat(all_weights, 1), state)

    def _step_by_step(self, embedded: Tensor, memory: Memory, state: DecoderState) -> Decoded:
        unrolled = self.stack.unroll(embedded, state.recurrent)
        combine = layer_product(self.combine)
        feed, attention_state = state.feed, state.attention
        features, contexts, outputs, all_weights = [], [], [], []
        for number in range(embedded.shape[1]):
            output = unrolled.step(number, feed).to(unrolled.dtype)
            context, weights, attention_state = self.attention(output.unsqueeze(1), memory, attention_state)
            joined = torch.cat([context.squeeze(1).to(unrolled.dtype), output], 1)
            feed = torch.tanh(combine(joined))
            features.append(feed)
            contexts.append(context)
            outputs.append(output)
            all_weights.append(weights)
        new_state = DecoderState(unrolled.state, feed.to(state.feed.dtype), attention_state)
        generate = None
        if self.copy_gate is not None:
            generate = self.generate(torch.cat(contexts, 1), torch.stack(outputs, 1), embedded)
        return Decoded(torch.stack(features, 1), torch.cat(all_weights, 1), new_state, generate)
