"""Bahdanau's order: attend, then update."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attention, Memory
from seq2seq_attn.nn.decoders.base import Decoded, Decoder, DecoderState, side_by_side
from seq2seq_attn.nn.recurrent.stack import RecurrentStack
from seq2seq_attn.products.linear import Linear


class BahdanauDecoder(Decoder):
    r"""Attend, then update (Bahdanau et al. 2015, appendix A.2.2, https://arxiv.org/abs/1409.0473).

    .. math::
        c_t = attend(s_{t-1}) \qquad
        s_t = GRU([y_{t-1}; c_t], s_{t-1}) \qquad
        o_t = \tanh(W_o [c_t; s_t; y_{t-1}])

    The paper's output is a maxout layer over :math:`s_{t-1}`; here it is a tanh over :math:`s_t`, which
    already knows the word that is being written.
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
        read_size = attention.context_size + stack.hidden_size + stack.known_size
        self.readout = Linear(read_size, attentional_size, bias=False)

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded`` step by step; the readout runs once for all positions."""
        unrolled = self.stack.unroll(embedded, state.recurrent)
        attention_state = state.attention
        contexts, outputs, all_weights = [], [], []
        for number in range(embedded.shape[1]):
            query = unrolled.top.to(unrolled.dtype).unsqueeze(1)
            context, weights, attention_state = self.attention(query, memory, attention_state)
            outputs.append(unrolled.step(number, context.squeeze(1)))
            contexts.append(context)
            all_weights.append(weights)
        context, output = torch.cat(contexts, 1), torch.stack(outputs, 1)
        features = torch.tanh(self.readout(side_by_side(context, output, embedded)))
        new_state = DecoderState(unrolled.state, state.feed, attention_state)
        return Decoded(features, torch.cat(all_weights, 1), new_state, self.generate(context, output, embedded))
