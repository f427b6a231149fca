"""Are the weights weights?"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention
from seq2seq_attn.testing.inputs import TOLERANCE, Inputs, attend, inputs_of
from seq2seq_attn.testing.report import broken
from seq2seq_attn.testing.subject import Subject


def weights_are_weights(subject: Subject) -> None:
    """Weights are not negative, sum to one (or at most one), and are exactly zero on padding."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    weights = attend(attention, inputs).weights.detach()
    if float(weights.min()) < 0:
        broken(f"a weight of {float(weights.min()):.6g}", "end with softmax or another of the normalizers")
    on_padding = weights.masked_select(~inputs.mask.unsqueeze(1))
    if bool(on_padding.any()):
        broken(
            f"padding has weights up to {float(on_padding.max()):.3g}",
            "set energies of padding to -inf before the softmax: energies.masked_fill(~mask.unsqueeze(1), -inf)",
        )
    check_mass(attention, weights, TOLERANCE)
    looks = bool(weights.any()) or bool(attend(attention.train(), inputs).weights.any())
    if looks is not attention.attends:
        found = "there are weights, but attends is False" if looks else "all weights are zero"
        broken(found, "say attends = False of a mechanism that never looks at the source, and of no other")


def check_mass(attention: Attention, weights: Tensor, tolerance: float) -> None:
    """All of the weight is given, or no more than that where the mechanism says so."""
    mass = weights.detach().double().sum(-1)
    off = mass - 1
    if attention.sums_to_one:
        worst = off.flatten()[off.abs().argmax()]
        if not bool(off.abs().max() <= tolerance):
            broken(
                f"weights of one query sum to {1 + float(worst):.6g} instead of 1",
                "divide by their sum; if the paper's weights may sum to less, set sums_to_one = False",
            )
    elif not bool(off.max() <= tolerance):
        broken(f"weights of one query sum to {float(mass.max()):.6g}, more than 1", "divide by their sum")


def telling_seed(subject: Subject) -> int:
    """Find parameters with which most queries get weight: hard decisions may give none, and nothing to look at."""
    shares = {}
    for seed in range(1, 9):
        subject.seed = seed
        weights = attend(subject.new(), inputs_of(subject.sizes)).weights
        shares[seed] = float((weights.detach().sum(-1) > 0).double().mean())
        if shares[seed] > 0.5:
            return seed
    return max(shares, key=lambda seed: shares[seed])


def stays_finite(subject: Subject) -> None:
    """Zeros and large numbers give finite weights, contexts and gradients, in float32 as in training."""
    for training in (False, True):
        attention = subject.new(dtype=torch.float32).train(training)
        for name, inputs in _extremes(inputs_of(subject.sizes).to(torch.float32)):
            inputs = inputs._replace(values=inputs.values.requires_grad_(), queries=inputs.queries.requires_grad_())
            found = attend(attention, inputs)
            of_mode = " in training mode" if training else ""
            for what, tensor in (("weights", found.weights), ("contexts", found.context)):
                if not bool(tensor.isfinite().all()):
                    broken(f"{name}{of_mode}: {what} are not finite", "guard divisions, logarithms and exponentials")
            for what, gradient in _gradients(attention, inputs, found):
                if not bool(gradient.isfinite().all()):
                    broken(
                        f"{name}{of_mode}: the gradient of {what} is not finite",
                        "add a small number before a division, a square root or a logarithm; torch.where stops no "
                        "NaN on its way back",
                    )


def _extremes(inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    """States that occur: a first state of zeros, an encoder that says nothing or shouts."""
    yield "a query of zeros", inputs._replace(queries=torch.zeros_like(inputs.queries))
    yield "values of zeros", inputs._replace(values=torch.zeros_like(inputs.values))
    yield (
        "values and queries 30 times as large",
        inputs._replace(values=inputs.values * 30, queries=inputs.queries * 30),
    )


def _gradients(attention: Attention, inputs: Inputs, found: Attended) -> Iterator[tuple[str, Tensor]]:
    """Yield the gradients of a plain sum of all that came out."""
    total = found.context.sum() + (found.weights * found.weights).sum()
    if not total.requires_grad:
        return
    named = {"values": inputs.values, "queries": inputs.queries, **dict(attention.named_parameters())}
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    for name, gradient in zip(named, gradients, strict=True):
        if gradient is not None:
            yield name, gradient
