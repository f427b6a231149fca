"""GNMT's order: the lowest layer attends, all others read the context."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attention, Memory
from seq2seq_attn.nn.decoders.base import Decoded, Decoder, DecoderState
from seq2seq_attn.nn.recurrent.stack import RecurrentStack
from seq2seq_attn.products.linear import Linear


class GNMTDecoder(Decoder):
    r"""Attention from the first layer, fed to all (Wu et al. 2016, section 3, https://arxiv.org/abs/1609.08144).

    .. math::
        s^1_t = LSTM_1([y_{t-1}; c_{t-1}], s^1_{t-1}) \qquad
        c_t = attend(s^1_t) \qquad
        s^k_t = LSTM_k([x^k_t; c_t], s^k_{t-1}) \qquad
        x^{k+1}_t = s^k_t + x^k_t

    The output layer reads the top layer itself, without a tanh between; through a matrix only where it
    shares the embeddings and these are of another size. The sum over x is the residual
    connection, from the second layer on as everywhere here (the paper: from the third on).

    In the paper the upper layers read :math:`c_{t-1}`, the context that the lowest layer asked for one
    step before. Here they read the newest, as in code that Google published afterwards
    (``gnmt_v2`` of https://github.com/tensorflow/nmt); the lowest layer is the same in both.
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
        self.project: nn.Module = nn.Identity()
        if attentional_size != stack.hidden_size:
            self.project = Linear(stack.hidden_size, attentional_size, bias=False)

    @property
    def feed_size(self) -> int:
        """Features of the context, which the lowest layer reads one step later."""
        return self.stack.fed_size

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded`` step by step."""
        unrolled = self.stack.unroll(embedded, state.recurrent)
        feed, attention_state = state.feed, state.attention
        contexts, outputs, all_weights = [], [], []
        for number in range(embedded.shape[1]):
            lowest = unrolled.lowest(number, feed)
            query = lowest.to(unrolled.dtype).unsqueeze(1)
            context, weights, attention_state = self.attention(query, memory, attention_state)
            feed = context.squeeze(1)
            outputs.append(unrolled.upper(number, lowest, shared=feed))
            contexts.append(context)
            all_weights.append(weights)
        context, output = torch.cat(contexts, 1), torch.stack(outputs, 1)
        new_state = DecoderState(unrolled.state, feed.to(state.feed.dtype), attention_state)
        generate = self.generate(context, output, embedded)
        return Decoded(self.project(output), torch.cat(all_weights, 1), new_state, generate)
