"""The decoder: LSTM layers and attention, wired as in one paper or the other.

Luong's order is update, then attend; Bahdanau's is attend, then update. The score is a
choice of its own: either wiring runs with any mechanism.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attention, AttentionState, Memory
from seq2seq_attn.nn.lstm import LSTMStack, LSTMState


class DecoderState(NamedTuple):
    """What the decoder carries from one step to the next."""

    lstm: LSTMState
    feed: Float[Tensor, "batch fed"]  # the attentional vector that is fed back; no features where none is
    attention: AttentionState

    def select(self, rows: Int[Tensor, " kept"]) -> DecoderState:
        """Keep ``rows``, repeats allowed."""
        return DecoderState(
            LSTMState(*(part.index_select(0, rows) for part in self.lstm)),
            self.feed.index_select(0, rows),
            tuple(part.index_select(0, rows) for part in self.attention),
        )


class Decoded(NamedTuple):
    """What the decoder made of some target positions."""

    features: Float[Tensor, "batch target_len attentional"]  # what the output layer reads
    weights: Float[Tensor, "batch target_len source_len"]
    state: DecoderState


class Decoder(nn.Module, ABC):
    """What both wirings share.

    Args:
        attention: the mechanism; its query is the top layer's hidden state.
        stack: the recurrent layers.
        attentional_size: features of the vector that the output layer reads.
    """

    def __init__(self, *, attention: Attention, stack: LSTMStack, attentional_size: int) -> None:
        super().__init__()
        self.attention = attention
        self.stack = stack
        self.attentional_size = attentional_size

    @abstractmethod
    def start(self, lstm: LSTMState, memory: Memory) -> DecoderState:
        """Return the state before the first target position."""

    @abstractmethod
    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded``: the whole target under teacher forcing, or one position in search."""


class LuongDecoder(Decoder):
    r"""Update, then attend (Luong et al. 2015, section 3, https://arxiv.org/abs/1508.04025).

    .. math::
        s_t = LSTM([y_{t-1}; \tilde{s}_{t-1}], s_{t-1}) \qquad
        c_t = attend(s_t) \qquad
        \tilde{s}_t = \tanh(W_c [c_t; s_t])

    With input feeding (section 3.3) the attentional vector :math:`\tilde{s}_{t-1}` goes into the next
    step. Without it nothing is fed back and the whole target runs at once.
    """

    def __init__(self, *, attention: Attention, stack: LSTMStack, attentional_size: int, state_size: int) -> None:
        super().__init__(attention=attention, stack=stack, attentional_size=attentional_size)
        self.combine = nn.Linear(attention.context_size + state_size, attentional_size, bias=False)

    def start(self, lstm: LSTMState, memory: Memory) -> DecoderState:
        """Start from the bridge's states; the first fed vector is zero."""
        feed = lstm.hidden.new_zeros(lstm.hidden.shape[0], self.stack.fed_size)
        return DecoderState(lstm, feed, self.attention.start(memory))

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded``; in a loop only where a step needs the one before it."""
        if self.stack.fed_size:
            return self._step_by_step(embedded, memory, state)
        outputs, lstm = self.stack(embedded, state.lstm)
        if self.attention.recurrent and outputs.shape[1] > 1:
            contexts, all_weights, attention_state = [], [], state.attention
            for query in outputs.split(1, dim=1):
                context, weights, attention_state = self.attention(query, memory, attention_state)
                contexts.append(context)
                all_weights.append(weights)
            context, weights = torch.cat(contexts, 1), torch.cat(all_weights, 1)
        else:
            context, weights, attention_state = self.attention(outputs, memory, state.attention)
        features = torch.tanh(self.combine(torch.cat([context, outputs.to(context.dtype)], -1)))
        return Decoded(features, weights, DecoderState(lstm, state.feed, attention_state))

    def _step_by_step(self, embedded: Tensor, memory: Memory, state: DecoderState) -> Decoded:
        unrolled = self.stack.unroll(embedded, state.lstm)
        combine = self.combine.weight.to(unrolled.dtype)
        feed, attention_state = state.feed, state.attention
        features, all_weights = [], []
        for number in range(embedded.shape[1]):
            output = unrolled.step(number, feed).to(unrolled.dtype)
            context, weights, attention_state = self.attention(output.unsqueeze(1), memory, attention_state)
            joined = torch.cat([context.squeeze(1).to(unrolled.dtype), output], 1)
            feed = torch.tanh(F.linear(joined, combine))
            features.append(feed)
            all_weights.append(weights)
        new_state = DecoderState(unrolled.state, feed.to(state.feed.dtype), attention_state)
        return Decoded(torch.stack(features, 1), torch.cat(all_weights, 1), new_state)


class BahdanauDecoder(Decoder):
    r"""Attend, then update (Bahdanau et al. 2015, appendix A.2.2, https://arxiv.org/abs/1409.0473).

    .. math::
        c_t = attend(s_{t-1}) \qquad
        s_t = LSTM([y_{t-1}; c_t], s_{t-1}) \qquad
        o_t = \tanh(W_o [c_t; s_t; y_{t-1}])

    The paper's cell is a GRU and its output a maxout layer over :math:`s_{t-1}`; here the output is a
    tanh over :math:`s_t`, which already knows the word that is being written.
    """

    def __init__(
        self, *, attention: Attention, stack: LSTMStack, attentional_size: int, state_size: int, embedding_size: int
    ) -> None:
        super().__init__(attention=attention, stack=stack, attentional_size=attentional_size)
        self.readout = nn.Linear(attention.context_size + state_size + embedding_size, attentional_size, bias=False)

    def start(self, lstm: LSTMState, memory: Memory) -> DecoderState:
        """Start from the bridge's states; what enters the cell is the context, so nothing else is fed."""
        return DecoderState(lstm, lstm.hidden.new_zeros(lstm.hidden.shape[0], 0), self.attention.start(memory))

    def forward(
        self, embedded: Float[Tensor, "batch target_len embedding"], memory: Memory, state: DecoderState
    ) -> Decoded:
        """Run over ``embedded`` step by step; the readout runs once for all positions."""
        unrolled = self.stack.unroll(embedded, state.lstm)
        attention_state = state.attention
        contexts, outputs, all_weights = [], [], []
        for number in range(embedded.shape[1]):
            query = unrolled.top.to(unrolled.dtype).unsqueeze(1)
            context, weights, attention_state = self.attention(query, memory, attention_state)
            outputs.append(unrolled.step(number, context.squeeze(1)))
            contexts.append(context)
            all_weights.append(weights)
        context, output = torch.cat(contexts, 1), torch.stack(outputs, 1)
        joined = torch.cat([context, output.to(context.dtype), embedded.to(context.dtype)], -1)
        features = torch.tanh(self.readout(joined))
        new_state = DecoderState(unrolled.state, state.feed, attention_state)
        return Decoded(features, torch.cat(all_weights, 1), new_state)
