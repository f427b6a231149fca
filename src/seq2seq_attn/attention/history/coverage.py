"""Coverage: how much of each source position has been looked at so far."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.history.base import FromZero, History, nothing_yet

MOST_WORDS = 2.0
SIZE = 10


class SumCoverage(History):
    r"""The sum of all weights so far, :math:`c_{ij} = \sum_{i' < i} \alpha_{i'j}`.

    See, Liu and Manning (2017), equations 10 and 11, https://arxiv.org/abs/1704.04368. It enters an additive
    score as :math:`w_c c_{ij}`.
    """

    paper: ClassVar[str] = "See et al. 2017, eq. 10 and 11"
    summary: ClassVar[str] = "sees the sum of all weights so far"

    def __init__(self, *, query_size: int, value_size: int, key_size: int) -> None:
        super().__init__()
        del query_size, value_size
        self.layer = FromZero(1, key_size)

    def start(self, memory: Memory) -> AttentionState:
        """Begin with nothing covered."""
        return (nothing_yet(memory),)

    def features(self, memory: Memory, state: AttentionState) -> Float[Tensor, "batch source_len key"]:
        """Return :math:`w_c c_{ij}`."""
        return self.layer(state[0].unsqueeze(-1))

    def update(
        self,
        query: Float[Tensor, "batch 1 query"],
        weights: Float[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> AttentionState:
        """Add these weights."""
        return (state[0] + weights.squeeze(1),)


class FertilityCoverage(SumCoverage):
    r"""The sum of weights over the words that a position is expected to become: 1 when it is done.

    .. math:: c_{ij} = c_{i-1,j} + \frac{\alpha_{ij}}{\Phi_j}, \qquad \Phi_j = N \sigma(U_f h_j)

    The linguistic coverage of Tu et al. (2016), section 3.1, https://arxiv.org/abs/1601.04811, with
    :math:`N = 2` words at most, as there.
    """

    paper: ClassVar[str] = "Tu et al. 2016, 3.1"
    summary: ClassVar[str] = "sees the sum of weights over the words that a position is expected to become"
    state_parts: ClassVar[int] = 2

    def __init__(self, *, query_size: int, value_size: int, key_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, key_size=key_size)
        self.fertility_layer = nn.Linear(value_size, 1, bias=False)

    def start(self, memory: Memory) -> AttentionState:
        r"""Begin with nothing covered, and compute :math:`\Phi`, which no step changes."""
        covered = nothing_yet(memory)
        logits = self.fertility_layer(memory.values).squeeze(-1).to(covered.dtype)
        return covered, MOST_WORDS * logits.sigmoid()

    def update(
        self,
        query: Float[Tensor, "batch 1 query"],
        weights: Float[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> AttentionState:
        """Add the part of its words that each position has given at this step."""
        covered, fertility = state
        return covered + weights.squeeze(1) / fertility, fertility


class NeuralCoverage(History):
    r"""A small gated recurrent unit at each source position, :math:`c_{ij} = f(c_{i-1,j}, \alpha_{ij}, h_j, s_i)`.

    .. math::
        z &= \sigma(W_z [\alpha_{ij}; h_j; s_i] + U_z c_{i-1,j} + b_z) \\
        r &= \sigma(W_r [\alpha_{ij}; h_j; s_i] + U_r c_{i-1,j} + b_r) \\
        c_{ij} &= (1 - z) c_{i-1,j} + z \tanh(W [\alpha_{ij}; h_j; s_i] + U (r \odot c_{i-1,j}) + b)

    The neural coverage of Tu et al. (2016), section 3.2, https://arxiv.org/abs/1601.04811, with the gated unit
    of Cho et al. (2014). :math:`s` is the state that asked for these weights, whatever the wiring calls it.
    """

    paper: ClassVar[str] = "Tu et al. 2016, 3.2"
    summary: ClassVar[str] = "a recurrent unit at each position learns what to remember of past weights"
    state_parts: ClassVar[int] = 2

    def __init__(self, *, query_size: int, value_size: int, key_size: int) -> None:
        super().__init__()
        self.value_layer = nn.Linear(value_size, 3 * SIZE)
        self.query_layer = nn.Linear(query_size, 3 * SIZE, bias=False)
        self.weight_layer = nn.Linear(1, 3 * SIZE, bias=False)
        self.gate_layer = nn.Linear(SIZE, 2 * SIZE, bias=False)
        self.candidate_layer = nn.Linear(SIZE, SIZE, bias=False)
        self.layer = FromZero(SIZE, key_size)

    def start(self, memory: Memory) -> AttentionState:
        """Begin with nothing covered, and compute the part of :math:`h_j`, which no step changes."""
        return nothing_yet(memory, SIZE), self.value_layer(memory.values)

    def features(self, memory: Memory, state: AttentionState) -> Float[Tensor, "batch source_len key"]:
        """Return the states of all units, through a layer."""
        return self.layer(state[0])

    def update(
        self,
        query: Float[Tensor, "batch 1 query"],
        weights: Float[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> AttentionState:
        """Make one step in each unit."""
        covered, from_values = state
        dtype = self.value_layer.weight.dtype
        inputs = from_values + self.query_layer(query) + self.weight_layer(weights.mT.to(dtype))
        for_gates, for_candidate = inputs.split((2 * SIZE, SIZE), dim=-1)
        update, reset = (for_gates + self.gate_layer(covered.to(dtype))).sigmoid().chunk(2, dim=-1)
        candidate = (for_candidate + self.candidate_layer((reset * covered).to(dtype))).tanh()
        return covered + update * (candidate - covered), from_values
