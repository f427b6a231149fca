"""Which continuations of a sentence's hypotheses stay in its beam.

Each of these is given the totals of all continuations of a beam side by side, and returns the places of those that
stay, best first. Equal ones stay in the order they came in.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_NEVER = float("-inf")


def by_total(totals: Float[Tensor, "beams places"], beam: int) -> Int[Tensor, "beams beam"]:
    """Return the best ones."""
    return totals.sort(dim=1, descending=True, stable=True).indices[:, :beam]


def by_group(
    totals: Float[Tensor, "beams places"], tokens: Int[Tensor, "beams places"], beam: int, groups: int, diversity: float
) -> Int[Tensor, "beams beam"]:
    """Let groups choose one after the other, and each avoid what those before it chose.

    Diverse beam search with Hamming diversity, Vijayakumar et al. (2018), algorithm 1,
    https://arxiv.org/abs/1610.02424: a token costs ``diversity`` for every hypothesis of an earlier group that goes
    on with it now. Departing from them, the cost decides this choice only and stays in no total, so that
    hypotheses of all groups can be compared.

    Args:
        totals: of all continuations; the groups of a sentence are ``groups`` beams, one after the other.
        tokens: what each continues with.
        beam: places of a group.
        groups: of each sentence.
        diversity: the cost.
    """
    totals = totals.view(-1, groups, totals.shape[1])
    tokens = tokens.view_as(totals)
    chosen = tokens.new_empty(len(tokens), 0)
    order = []
    for group in range(groups):
        uses = (tokens[:, group].unsqueeze(2) == chosen.unsqueeze(1)).sum(dim=2)
        order.append(by_total(totals[:, group] - diversity * uses, beam))
        real = totals[:, group].gather(1, order[-1]) > _NEVER
        chosen = torch.cat([chosen, tokens[:, group].gather(1, order[-1]).where(real, -1)], dim=1)
    return torch.stack(order, dim=1).flatten(0, 1)


def by_bank(
    totals: Float[Tensor, "beams places"], banks: Int[Tensor, "beams places"], beam: int, highest: int
) -> Int[Tensor, "beams beam"]:
    """Divide a beam evenly among those that have as many required tokens.

    Dynamic beam allocation, Post and Vilar (2018), https://aclanthology.org/N18-1119, without a loop as by Hu et al.
    (2019), https://aclanthology.org/N19-1090: the best of every bank, the fullest
    bank first, then the second best, and so on. What a bank cannot fill goes to the others.

    Args:
        totals: of all continuations.
        banks: required tokens that each has.
        beam: places to give.
        highest: the number of the highest bank that there can be.
    """
    order = totals.sort(dim=1, descending=True, stable=True).indices
    banks = banks.gather(1, order)
    members = banks.unsqueeze(2) == torch.arange(highest + 1, device=banks.device)
    turn = members.cumsum(dim=1).gather(2, banks.unsqueeze(2)).squeeze(2)
    turn = turn * (highest + 1) - banks
    turn = turn.masked_fill(totals.gather(1, order) == _NEVER, torch.iinfo(turn.dtype).max)
    return order.gather(1, turn.sort(dim=1, stable=True).indices[:, :beam])
