"""The three steps, put together from parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory
from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.normalizers.base import Normalizer
from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.attention.windows.base import Window


class ScoredAttention(Attention):
    """Score -> normalize -> weighted mean, with a choice for each.

    Args:
        score: compares a query with the keys.
        normalizer: turns energies into weights.
        window: restricts the source positions; None for all of them.
        histories: what the keys are told of past weights.
        temperature: what energies are divided by before they are normalized.
    """

    def __init__(
        self,
        score: Score,
        normalizer: Normalizer | None,
        *,
        window: Window | None = None,
        histories: Sequence[History] = (),
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size=score.query_size, value_size=score.value_size, hidden_size=score.hidden_size)
        self.score = score
        self.normalizer = normalizer
        self.window = window
        self.histories = nn.ModuleList(histories)
        self.temperature = temperature
        self.recurrent = bool(histories)
        self.sums_to_one = window is None or window.keeps_sum

    def memorize(
        self,
        values: Float[Tensor, "batch source_len value"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Zero the padding and make the keys."""
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        return self.remember(values, values, mask)

    def remember(
        self,
        values: Float[Tensor, "batch source_len value"],
        compared: Float[Tensor, "batch source_len compared"],
        mask: Bool[Tensor, "batch source_len"],
    ) -> Memory:
        """Make the memory of values that are averaged and of others that keys are made from."""
        return Memory(values, self.score.project(compared), mask)

    def start(self, memory: Memory) -> AttentionState:
        """Return the states of all parts, one behind the other: alignment, window, histories."""
        state = self.start_alignment(memory)
        if self.window is not None:
            state += self.window.start(memory)
        for history in self._histories:
            state += history.start(memory)
        return state

    def forward(
        self, query: Float[Tensor, "batch target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Score, normalize, average."""
        if self.recurrent and query.shape[1] != 1:
            raise ValueError(
                f"this attention needs the step before, so it takes one query at a time, not {query.shape[1]}"
            )
        own, window_state, history_states = self._split(state)
        keys = self.keys(memory)
        for history, past in zip(self._histories, history_states, strict=True):
            keys = keys + history.features(memory, past).to(keys.dtype)
        energies = self.score(query, keys)
        mask, factor = memory.mask.unsqueeze(1), None
        if self.window is not None:
            mask, factor, window_state = self.window(query, memory, window_state)
        weights, own = self.align(energies, query, mask, memory, own)
        if factor is not None:
            weights = weights * factor
        context = weights.to(memory.values.dtype) @ memory.values
        state = own + window_state
        for history, past in zip(self._histories, history_states, strict=True):
            state += history.update(query, weights, memory, past)
        return Attended(context, weights, state)

    def keys(self, memory: Memory) -> Float[Tensor, "batch source_len key"]:
        """Return the keys that the score compares."""
        return memory.keys

    def start_alignment(self, memory: Memory) -> AttentionState:
        """Return what :meth:`align` remembers before the first step."""
        del memory
        return ()

    def align(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        query: Float[Tensor, "batch target_len query"],
        mask: Bool[Tensor, "batch target_or_1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> tuple[Float[Tensor, "batch target_len source_len"], AttentionState]:
        """Turn energies into weights; monotonic attention does it in a way of its own."""
        del query, memory
        assert self.normalizer is not None
        return self.normalizer(energies / self.temperature if self.temperature != 1.0 else energies, mask), state

    @property
    def _histories(self) -> list[History]:
        return cast(list[History], list(self.histories))

    def _split(self, state: AttentionState) -> tuple[AttentionState, AttentionState, list[AttentionState]]:
        """Take the state apart again, from behind."""
        history_states = []
        for history in reversed(self._histories):
            end = len(state) - history.state_parts
            history_states.append(state[end:])
            state = state[:end]
        end = len(state) - (0 if self.window is None else self.window.state_parts)
        return state[:end], state[end:], history_states[::-1]


@torch.no_grad()
def key_size(score: Score) -> int:
    """Return how many features the keys of a score have."""
    like = next(score.parameters(), torch.empty(0))
    return score.project(like.new_zeros(1, 1, score.value_size)).shape[2]
