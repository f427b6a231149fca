"""The cell of an LSTM and masks of dropout, against their equations and what chance allows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seq2seq_attn.nn.dropout import dropout_mask
from seq2seq_attn.nn.recurrent.lstm_cell import lstm_cell

BATCH, HIDDEN = 3, 5


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("with_more", [True, False])
def test_values_are_those_of_the_equations(with_more):
    gates, more, cell = drawn(BATCH, 4 * HIDDEN, seed=1), drawn(BATCH, 4 * HIDDEN, seed=2), drawn(BATCH, HIDDEN, seed=3)
    hidden, new_cell = lstm_cell(gates, more if with_more else None, cell)
    sums = (gates + more if with_more else gates).tolist()
    for row in range(BATCH):
        for unit in range(HIDDEN):
            enter, keep, update, leave = (sums[row][part * HIDDEN + unit] for part in range(4))
            expected = sigmoid(keep) * cell[row, unit].item() + sigmoid(enter) * math.tanh(update)
            assert new_cell[row, unit].item() == pytest.approx(expected)
            assert hidden[row, unit].item() == pytest.approx(sigmoid(leave) * math.tanh(expected))


@pytest.mark.parametrize("used", ["both", "hidden", "cell"])
@pytest.mark.parametrize("with_more", [True, False])
def test_gradients_are_those_of_finite_differences(used, with_more):
    leaves = [drawn(BATCH, 4 * HIDDEN, seed=1), drawn(BATCH, 4 * HIDDEN, seed=2), drawn(BATCH, HIDDEN, seed=3)]

    def run(gates: Tensor, more: Tensor, cell: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        hidden, new_cell = lstm_cell(gates, more if with_more else None, cell)
        return {"both": (hidden, new_cell), "hidden": hidden, "cell": new_cell}[used]

    assert torch.autograd.gradcheck(
        run, [leaf.requires_grad_(with_more or number != 1) for number, leaf in enumerate(leaves)]
    )


def test_the_state_keeps_its_precision_when_products_are_rounded():
    gates, cell = drawn(BATCH, 4 * HIDDEN, seed=1).bfloat16().requires_grad_(), drawn(BATCH, HIDDEN, seed=3).float()
    hidden, new_cell = lstm_cell(gates, None, cell)
    exact = lstm_cell(gates.detach().double(), None, cell.double())
    assert hidden.dtype == new_cell.dtype == torch.float32
    torch.testing.assert_close(torch.stack([hidden, new_cell]).double(), torch.stack(exact), rtol=1e-6, atol=1e-6)
    (hidden + new_cell).sum().backward()
    assert gates.grad is not None
    assert gates.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("probability", [0.1, 0.2, 0.5, 0.9])
def test_a_mask_drops_as_often_as_it_says_and_keeps_the_mean(probability):
    torch.manual_seed(8)
    mask = dropout_mask(torch.empty(101, 97, 3), probability)
    assert mask.shape == (101, 97, 3)
    assert mask.dtype == torch.float32
    dropped = (mask == 0).double()
    deviation = math.sqrt(probability * (1 - probability) / mask.numel())
    assert abs(dropped.mean().item() - probability) < 4 * deviation
    kept = mask[mask != 0]
    assert kept.unique().numel() == 1
    assert kept[0].item() == pytest.approx(1 / (1 - probability), rel=1e-4)
    # four numbers come from one word of random bits, and none of them may know of its neighbors
    flat = dropped.flatten()[: mask.numel() // 4 * 4].view(-1, 4)
    correlation = torch.corrcoef(flat.T)
    assert (correlation - torch.eye(4)).abs().max() < 5 / math.sqrt(len(flat))
    for column in flat.unbind(1):
        assert abs(column.mean().item() - probability) < 8 * deviation


def test_masks_follow_the_seed():
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(dropout_mask(torch.empty(7, 11), 0.3))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


@pytest.mark.parametrize(("probability", "value"), [(0.0, 1.0), (1e-9, 1.0)])
def test_nothing_is_dropped_where_hardly_anything_is_asked_for(probability, value):
    torch.manual_seed(1)
    assert dropout_mask(torch.empty(7, 11), probability).unique().tolist() == [value]
