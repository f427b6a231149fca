"""Nematus' order: update, attend, update again."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attention, Memory
from seq2seq_attn.nn.decoders.base import Decoded, Decoder, DecoderState, side_by_side
from seq2seq_attn.nn.recurrent.stack import RecurrentStack
from seq2seq_attn.products.linear import Linear


class ConditionalDecoder(Decoder):
    r"""The conditional GRU (Sennrich et al. 2017, section 2, https://arxiv.org/abs/1703.04357).

    .. math::
        s'_t = GRU_1(y_{t-1}, s_{t-1}) \qquad
        c_t = attend(s'_t) \qquad
        s_t = GRU_2(c_t, s'_t) \qquad
        o_t = \tanh(W_o [c_t; s_t; y_{t-1}])

    One state goes through both cells; an LSTM's cell state goes along. Further layers are an
    ordinary stack that reads :math:`s_t`. Without attention there is nothing for the second cell to
    read, and no such cell.
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
        self.second = stack.layer(attention.context_size, stack.hidden_size) if attention.context_size else None
        read_size = attention.context_size + stack.hidden_size + stack.known_size
        self.readout = Linear(read_size, attentional_size, bias=False)

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded`` step by step; the readout runs once for all positions."""
        unrolled = self.stack.unroll(embedded, state.recurrent)
        second = None if self.second is None else self.second.unroll(None)
        attention_state = state.attention
        contexts, outputs, all_weights = [], [], []
        for number in range(embedded.shape[1]):
            between = unrolled.lowest(number, None)
            query = between.to(unrolled.dtype).unsqueeze(1)
            context, weights, attention_state = self.attention(query, memory, attention_state)
            lowest = between if second is None else unrolled.revise(second, number, context.squeeze(1))
            outputs.append(unrolled.upper(number, lowest))
            contexts.append(context)
            all_weights.append(weights)
        context, output = torch.cat(contexts, 1), torch.stack(outputs, 1)
        features = torch.tanh(self.readout(side_by_side(context, output, embedded)))
        new_state = DecoderState(unrolled.state, state.feed, attention_state)
        return Decoded(features, torch.cat(all_weights, 1), new_state, self.generate(context, output, embedded))
