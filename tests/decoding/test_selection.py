"""How a beam is divided, against loops over lists."""

from __future__ import annotations

import math
import random

import pytest
import torch

from seq2seq_attn.decoding.selection import by_bank, by_group, by_total


def in_turn(totals: list[float], banks: list[int], beam: int) -> list[int]:
    """The best of every bank, the fullest first, then the second best, until the beam is full."""
    order = sorted(range(len(totals)), key=lambda place: -totals[place])
    queues: dict[int, list[int]] = {}
    for place in order:
        if totals[place] > -math.inf:
            queues.setdefault(banks[place], []).append(place)
    found: list[int] = []
    while any(queues.values()):
        for bank in sorted(queues, reverse=True):
            if queues[bank]:
                found.append(queues[bank].pop(0))
    return found[:beam]


@pytest.mark.parametrize("highest", [0, 1, 3, 9])
def test_banks_take_turns(highest):
    rng = random.Random(highest)
    for _ in range(50):
        beam, places = rng.randint(1, 7), rng.randint(7, 20)
        totals = [[rng.choice([-math.inf, -1.0, -2.0, -rng.random()]) for _ in range(places)] for _ in range(3)]
        banks = [[rng.randint(0, highest) for _ in range(places)] for _ in range(3)]
        found = by_bank(torch.tensor(totals, dtype=torch.float64), torch.tensor(banks), beam, highest).tolist()
        for row in range(3):
            wanted = in_turn(totals[row], banks[row], beam)
            assert found[row][: len(wanted)] == wanted
            assert all(totals[row][place] == -math.inf for place in found[row][len(wanted) :])


def test_every_bank_that_has_members_gets_its_share():
    totals = torch.tensor([[-0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -7.0, -8.0, -9.0]], dtype=torch.float64)
    banks = torch.tensor([[0, 0, 0, 0, 0, 0, 1, 1, 2]])
    assert by_bank(totals, banks, 5, 2).tolist() == [[8, 6, 0, 7, 1]]


def test_one_bank_is_the_order_of_totals():
    totals = torch.randn(5, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    totals[:, ::4] = -math.inf
    same = by_bank(totals, torch.zeros(5, 12).long(), 6, 0)
    assert torch.equal(same, by_total(totals, 6))


def test_a_group_counts_how_often_a_token_was_chosen_before():
    """Three groups of one: token 7 is best thrice; at the third time it costs twice."""
    totals = torch.tensor([[-1.0, -2.5]] * 3, dtype=torch.float64)
    tokens = torch.tensor([[7, 8]] * 3)
    assert by_group(totals, tokens, 1, 3, 0.7).flatten().tolist() == [0, 0, 0]
    assert by_group(totals, tokens, 1, 3, 0.8).flatten().tolist() == [0, 0, 1]
    assert by_group(totals, tokens, 1, 3, 1.6).flatten().tolist() == [0, 1, 0]


def test_a_group_that_has_ended_is_not_avoided():
    totals = torch.tensor([[-math.inf, -math.inf], [-1.0, -1.1]], dtype=torch.float64)
    assert by_group(totals, torch.tensor([[7, 8]] * 2), 1, 2, 5.0).tolist()[1] == [0]
