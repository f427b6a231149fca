"""R-drop: what two passes with different dropout say shall be the same."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.losses import Projection
from seq2seq_attn.products.first_order import first_order
from seq2seq_attn.products.precision import product_dtype
from seq2seq_attn.training.objectives.base import R_DROP, Lost, Objective
from seq2seq_attn.training.objectives.tokens import Told, log_probs, told
from seq2seq_attn.training.weight_losses import WeightLosses


class RDrop(Objective):
    r"""Likelihood, and agreement of the distributions :math:`P_1, P_2` of two passes with different dropout.

    .. math::
        \frac{1}{2} \sum_t \Big( -\log P_1(y_t) - \log P_2(y_t)
        + \frac{\alpha}{2} \big( KL(P_1 \| P_2) + KL(P_2 \| P_1) \big) \Big)

    Liang et al. (2021), equations 2 to 4, https://arxiv.org/abs/2106.14448, whose loss is twice this; so the loss of
    a token, and with it the learning rate, is what it is without. Both passes are one, over the batch beside itself,
    as in the paper's algorithm. Losses on attention weights are means of the two as well.

    Args:
        factor: :math:`\alpha`.
        label_smoothing: of the likelihood.
        weight_losses: what is added for the attention weights.
    """

    def __init__(self, factor: float, label_smoothing: float = 0.0, weight_losses: WeightLosses | None = None) -> None:
        self.factor = factor
        self.label_smoothing = label_smoothing
        self.weight_losses = weight_losses or WeightLosses()

    @property
    def parts(self) -> tuple[str, ...]:
        """The divergence, :math:`(KL + KL) / 2`, and losses on attention weights."""
        return (*self.weight_losses.factors, R_DROP)

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return the loss of two passes, halved."""
        del step
        both = twice(batch)
        forced = model(both.source, both.source_lengths, both.target_in)
        found = agreement_loss(model.output, told(forced, both), factor=self.factor, smoothing=self.label_smoothing)
        parts = {name: value / 2 for name, value in self.weight_losses.sums(forced.weights, both).items()}
        total = found.total
        for name, value in parts.items():
            total = total + self.weight_losses.factors[name] * value
        return Lost(total, found.likelihood, {**parts, R_DROP: found.divergence})


def twice(batch: Batch) -> Batch:
    """Put a batch beside itself: all its sentences, and then all again."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    tensors = {name: torch.cat([value, value]) for name, value in values.items() if isinstance(value, Tensor)}
    return replace(batch, target_tokens=2 * batch.target_tokens, **tensors)


class Agreement(NamedTuple):
    """Means of two passes, summed over target tokens."""

    total: Float[Tensor, ""]  # smoothed loss and half the factor times the divergence
    likelihood: Float[Tensor, ""]  # negative log-likelihood; carries no gradient
    divergence: Float[Tensor, ""]  # (KL(1 || 2) + KL(2 || 1)) / 2; carries no gradient


def agreement_loss(output: nn.Linear, tokens: Told, *, factor: float, smoothing: float = 0.0) -> Agreement:
    """Return the loss of :class:`RDrop`, without that of attention weights.

    The (tokens x vocabulary) matrices of both passes exist in pieces only.

    Args:
        output: the output layer.
        tokens: those of the first pass, then those of the second in the same order.
        factor: of the divergence.
        smoothing: share of probability given to all tokens alike.
    """
    if tokens.copying is None:
        low = tokens.features.to(product_dtype(tokens.features))
        targets = tokens.targets[: len(tokens.targets) // 2]
        found = _AgreementLoss.apply(low, output.weight, output.bias, targets, smoothing, factor)  # type: ignore[no-untyped-call]
        return Agreement(*found)
    return _agreement_of_mixtures(output, tokens, factor, smoothing)


def _agreement_of_mixtures(output: nn.Linear, tokens: Told, factor: float, smoothing: float) -> Agreement:
    """Do the same for a model that may copy; every piece is made once more for its gradient."""
    half = len(tokens.targets) // 2
    first, second = tokens.select(slice(half)), tokens.select(slice(half, None))

    def sums(one: Told, two: Told) -> tuple[Tensor, Tensor, Tensor]:
        logs = [log_probs(output, side) for side in (one, two)]
        right = one.targets.unsqueeze(1)
        likelihood = -torch.stack([side.gather(1, right).sum() for side in logs]).mean()
        spread = -torch.stack([side.mean(1).sum() for side in logs]).mean()
        divergence = ((logs[0].exp() - logs[1].exp()) * (logs[0] - logs[1])).sum() / 2
        return likelihood, (1 - smoothing) * likelihood + smoothing * spread, divergence

    found = [
        checkpoint(sums, first.select(piece), second.select(piece), use_reentrant=False, preserve_rng_state=False)
        for piece in first.pieces(output.out_features)
    ]
    likelihood, smoothed, divergence = (torch.stack(column).sum() for column in zip(*found, strict=True))
    return Agreement(smoothed + factor / 2 * divergence, likelihood.detach(), divergence.detach())


class _AgreementLoss(torch.autograd.Function):
    r"""Output layer, softmax, cross-entropy and divergence in one, with the gradients made on the way.

    With :math:`d = \log p - \log q` of the two passes, the gradients of :math:`KL(p \| q) + KL(q \| p)` by the
    logits are :math:`p (d - KL(p \| q)) + p - q` and :math:`q (-d - KL(q \| p)) + q - p`.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, factor: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad)
        with torch.autocast(features.device.type, enabled=False):
            sides = [Projection(half, weight, bias, needs_gradient=needs_gradient) for half in features.chunk(2)]
            total = torch.zeros((), dtype=sides[0].exact, device=features.device)
            likelihood, divergence = torch.zeros_like(total), torch.zeros_like(total)
            for (piece, one), (_, two) in zip(sides[0].pieces(), sides[1].pieces(), strict=True):
                right = targets[piece].unsqueeze(1)
                for logits in (one, two):
                    logits.sub_(torch.logsumexp(logits, dim=1, keepdim=True))
                    surprise = -logits.gather(1, right).sum()
                    likelihood += surprise / 2
                    total += ((1 - smoothing) * surprise - smoothing * logits.mean(1).sum()) / 2
                apart = one - two
                one.exp_(), two.exp_()
                ahead, behind = ((one * apart).sum(1, keepdim=True), -(two * apart).sum(1, keepdim=True))
                divergence += (ahead + behind).sum() / 2
                if not needs_gradient:
                    continue
                for side, gradient in zip(
                    sides, _gradients(one, two, apart, (ahead, behind), factor=factor), strict=True
                ):
                    gradient.sub_(smoothing / weight.shape[0])
                    gradient.scatter_add_(1, right, torch.full_like(right, smoothing - 1, dtype=side.exact))
                    side.descend(piece, gradient.div_(2))
            total += factor / 2 * divergence
        if needs_gradient:
            (features_1, *others_1), (features_2, *others_2) = (side.gradients() for side in sides)
            owners = (weight.dtype, bias.dtype)
            sums = [a.to(dtype) + b.to(dtype) for a, b, dtype in zip(others_1, others_2, owners, strict=True)]
            ctx.save_for_backward(torch.cat([features_1, features_2]), *sums)
        ctx.mark_non_differentiable(likelihood, divergence)
        return total, likelihood, divergence

    @staticmethod
    @first_order
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        return (*(part * gradient.to(part.dtype) for part in ctx.saved_tensors), None, None, None)


def _gradients(
    one: Float[Tensor, "piece vocabulary"],
    two: Float[Tensor, "piece vocabulary"],
    apart: Float[Tensor, "piece vocabulary"],
    divergences: tuple[Float[Tensor, "piece 1"], Float[Tensor, "piece 1"]],
    *,
    factor: float,
) -> tuple[Float[Tensor, "piece vocabulary"], Float[Tensor, "piece vocabulary"]]:
    """Return those of normalizer and divergence by the logits of both passes."""
    ahead, behind = divergences
    towards = (one - two).mul_(factor / 2)
    first = (apart - ahead).mul_(factor / 2).add_(1).mul_(one).add_(towards)
    second = (apart + behind).mul_(-factor / 2).add_(1).mul_(two).sub_(towards)
    return first, second
