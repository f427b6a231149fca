"""Are the gradients those of the function?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from seq2seq_attn.attention import Attention
from seq2seq_attn.testing.checks.padding import mixture
from seq2seq_attn.testing.inputs import Inputs, attend, gap_between, inputs_of
from seq2seq_attn.testing.report import broken, skip
from seq2seq_attn.testing.subject import Subject

STEP = 1e-6
TOLERANCE = 1e-5
MOST = 24  # numbers of one tensor that are moved by themselves; the others only together


def gradients_are_right(subject: Subject) -> None:
    """In float64, moving an input or a parameter by a little changes the result as the gradient says.

    Where a mechanism decides instead of weighing (the hard mode of monotonic attention), both are zero.
    """
    flat = True
    inputs = inputs_of(subject.small_sizes, lengths=(3, 2), target_len=2)
    evaluated = attend(subject.new(small=True), inputs)
    for training in (False, True):
        attention = subject.new(small=True).train(training)
        if training and not gap_between(attend(attention, inputs), evaluated, 0.0):
            break  # it does the same in training
        flat = _all_zero(attention, inputs, " in training mode" if training else "") and flat
    if flat:
        skip("nothing that it gives depends on a number that could be learned")


def _all_zero(attention: Attention, inputs: Inputs, when: str) -> bool:
    """Compare all gradients; say whether there were only zeros."""
    values, queries = inputs.values.clone().requires_grad_(), inputs.queries.clone().requires_grad_()
    named = {"values": values, "queries": queries}
    named |= {name: tensor for name, tensor in attention.named_parameters() if tensor.requires_grad}

    def total() -> Tensor:
        return mixture(attend(attention, Inputs(values, inputs.mask, queries)))

    result = total()
    gradients = [torch.zeros_like(tensor) for tensor in named.values()]
    if result.requires_grad:
        gradients = list(torch.autograd.grad(result, list(named.values()), allow_unused=True, materialize_grads=True))
    zero = True
    for (name, tensor), gradient in zip(named.items(), gradients, strict=True):
        for place, direction in _directions(tensor):
            claimed = float((gradient * direction).sum())
            measured = _slope(total, tensor, direction)
            zero = zero and claimed == measured == 0.0
            if not abs(claimed - measured) <= TOLERANCE * max(1.0, abs(measured)):
                broken(
                    f"the gradient of {name}{place}{when} is {claimed:.6g}, finite differences give {measured:.6g}",
                    "look for detach, no_grad, .data, .item() and whatever else cuts the way back; of an "
                    "autograd.Function, read the backward again",
                )
    return zero


def _directions(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Move numbers one by one; of a large tensor some, and then all of them together."""
    generator = torch.Generator().manual_seed(3)
    chosen = torch.randperm(tensor.numel(), generator=generator)[:MOST].sort().values
    for number in chosen.tolist():
        direction = torch.zeros(tensor.numel(), dtype=tensor.dtype)
        direction[number] = 1.0
        place = [int(i) for i in torch.unravel_index(torch.tensor(number), tensor.shape)]
        yield f" at {place}" if place else "", direction.view(tensor.shape)
    if tensor.numel() > MOST:
        yield " along a random direction", torch.randn(tensor.shape, dtype=tensor.dtype, generator=generator)


@torch.no_grad()
def _slope(total: Callable[[], Tensor], tensor: Tensor, direction: Tensor) -> float:
    """Measure how fast the result changes along a direction, from both sides."""
    before = tensor.clone()
    tensor.add_(direction, alpha=STEP)
    above = float(total())
    tensor.copy_(before).sub_(direction, alpha=STEP)
    below = float(total())
    tensor.copy_(before)
    return (above - below) / (2 * STEP)
