"""Which continuations of a sentence's hypotheses stay in its beam.

Each of these is given the totals of all continuations of a beam side by side, and returns the places of those that
stay, best first. Equal ones stay in the order they came in.
"""

from __future__ import annotations

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array

_NEVER = float("-inf")
_LAST = 2**63 - 1  # no turn comes after it


def by_total(totals: Float[Array, "beams places"], beam: int) -> Int[Array, "beams beam"]:
    """Return the best ones."""
    return arrays.ordered(totals, descending=True)[:, :beam]


def by_group(
    totals: Float[Array, "beams places"], tokens: Int[Array, "beams places"], beam: int, groups: int, diversity: float
) -> Int[Array, "beams beam"]:
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
    totals = totals.reshape(-1, groups, totals.shape[1])
    tokens = tokens.reshape(totals.shape)
    chosen = tokens[:, 0, :0]
    order = []
    for group in range(groups):
        uses = (tokens[:, group, :, None] == chosen[:, None]).sum(axis=2)
        order.append(by_total(totals[:, group] - diversity * uses, beam))
        real = arrays.take_along(totals[:, group], order[-1]) > _NEVER
        taken = arrays.where(real, arrays.take_along(tokens[:, group], order[-1]), -1)
        chosen = arrays.concat([chosen, taken], axis=1)
    return arrays.concat(order, axis=1).reshape(len(tokens) * groups, -1)


def by_bank(
    totals: Float[Array, "beams places"], banks: Int[Array, "beams places"], beam: int, highest: int
) -> Int[Array, "beams beam"]:
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
    order = arrays.ordered(totals, descending=True)
    banks = arrays.take_along(banks, order)
    members = banks[:, :, None] == arrays.arange(highest + 1, like=banks)
    turn = arrays.take_along(members.cumsum(axis=1), banks[:, :, None], axis=2).squeeze(2)
    turn = turn * (highest + 1) - banks
    turn = arrays.masked(turn, arrays.take_along(totals, order) == _NEVER, _LAST)
    return arrays.take_along(order, arrays.ordered(turn)[:, :beam])
