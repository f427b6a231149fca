"""Hard monotonic attention: stop at one source position, and go on from there at the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import AttentionState, Memory
from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.attention.scores.base import Score

OFFSET = -1.0


class HardMonotonicAttention(ScoredAttention):
    r"""Monotonic attention, trained in expectation.

    At every step the decoder goes on from the position where it stopped before, to the right, and stops at
    position :math:`j` with the probability :math:`p_{ij} = \sigma(e_{ij} + r)`. In training mode the weights
    are the probabilities of all places where it may have stopped:

    .. math:: \alpha_{ij} = p_{ij} \sum_{k \le j} \alpha_{i-1,k} \prod_{l=k}^{j-1} (1 - p_{il})

    In evaluation mode it does stop, at the first position with :math:`p_{ij} \ge 1/2`, which gets all the weight.
    When there is none, it has run past the end: the weights of this step and of all later ones are zero, and so
    are the contexts. The expected weights sum to less than one by the probability of just that.

    Raffel et al. (2017), equations 9 to 14, https://arxiv.org/abs/1704.00784. Noise with a standard deviation
    of one is added to the energies in training, so that the probabilities learn to be near 0 and 1. The
    learned offset :math:`r` begins below zero, at -1, so that the first looks reach beyond the first words.
    The paper's score is ``bahdanau-normed``; any other may be taken.

    Args:
        score: compares a query with the keys.
        histories: what the keys are told of past weights.
        new_score: not needed here.
        chunk_size: not needed here.
        noise: standard deviation of what is added to the energies in training mode.
    """

    paper: ClassVar[str] = "Raffel et al. 2017, eq. 9 to 14"
    summary: ClassVar[str] = "one position at a time, from left to right; learned as an expectation"

    def __init__(
        self,
        score: Score,
        histories: Sequence[History] = (),
        *,
        new_score: Callable[[], Score] | None = None,
        chunk_size: int | None = None,
        noise: float = 1.0,
    ) -> None:
        del new_score, chunk_size
        super().__init__(score, None, histories=histories)
        self.recurrent = True
        self.sums_to_one = False
        self.noise = noise
        self.offset = nn.Parameter(torch.tensor(OFFSET))

    def start_alignment(self, memory: Memory) -> AttentionState:
        """Begin at the first position."""
        batch, source_len = memory.mask.shape
        dtype = torch.promote_types(memory.values.dtype, torch.float32)
        return (F.pad(memory.values.new_ones(batch, 1, dtype=dtype), (0, source_len - 1)),)

    def align(
        self,
        energies: Float[Tensor, "batch 1 source_len"],
        query: Float[Tensor, "batch 1 query"],
        mask: Bool[Tensor, "batch 1 source_len"],
        memory: Memory,
        state: AttentionState,
    ) -> tuple[Float[Tensor, "batch 1 source_len"], AttentionState]:
        """Go on from where the step before stopped."""
        del query, memory
        previous = state[0].unsqueeze(1)
        energies = energies.to(previous.dtype) + self.offset
        if self.training and self.noise:
            energies = energies + self.noise * torch.randn_like(energies)
        energies = energies.masked_fill(~mask, float("-inf"))
        stopped = expected_stop(energies, previous) if self.training else first_stop(energies, previous)
        return stopped, (stopped.squeeze(1),)


def expected_stop(
    energies: Float[Tensor, "*batch source_len"], previous: Float[Tensor, "*batch source_len"]
) -> Float[Tensor, "*batch source_len"]:
    r"""Compute the probability to stop at each position, given those of the step before.

    With :math:`q_j`, the probability to come to position :math:`j`, the sum of products is the recurrence
    :math:`q_j = (1 - p_{j-1}) q_{j-1} + \alpha_{i-1,j}` (equations 13 and 14 of the paper). It is
    solved by doubling: after n rounds, ``come`` counts the ways that begin up to :math:`2^n - 1` positions
    back, and ``walk`` is the probability to walk :math:`2^n` positions without a stop. All are products
    and sums of probabilities, so nothing is divided, nothing cancels, and energies may be infinite.
    """
    come = previous
    walk = F.pad(torch.sigmoid(-energies[..., :-1]), (1, 0))
    distance = 1
    while distance < energies.shape[-1]:
        come = come + walk * F.pad(come[..., :-distance], (distance, 0))
        walk = walk * F.pad(walk[..., :-distance], (distance, 0))
        distance *= 2
    return torch.sigmoid(energies) * come


def first_stop(
    energies: Float[Tensor, "*batch source_len"], previous: Float[Tensor, "*batch source_len"]
) -> Float[Tensor, "*batch source_len"]:
    """Put all weight on the first position, from the one before onwards, where stopping is as likely as not."""
    stops = (energies >= 0) & (previous.cumsum(-1) > 0)
    return (stops & (stops.cumsum(-1) == 1)).to(previous.dtype)
