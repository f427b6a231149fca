"""The training loss, together with the output layer it belongs to."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 1 << 22
"""Most (tokens x vocabulary) cells that exist at a time: 16 MiB in float32."""


class Loss(NamedTuple):
    """Sums over target tokens; divide by the number of tokens to get means."""

    smoothed: Float[Tensor, ""]  # what training descends
    negative_log_likelihood: Float[Tensor, ""]  # what perplexity is made of; carries no gradient


def output_loss(
    features: Float[Tensor, "tokens features"],
    weight: Float[Tensor, "vocabulary features"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " tokens"],
    *,
    smoothing: float = 0.0,
) -> Loss:
    r"""Project ``features`` to the vocabulary and return the label-smoothed cross-entropy, summed.

    .. math:: (1 - \epsilon) (-\log p_y) + \frac{\epsilon}{V} \sum_v (-\log p_v)

    Szegedy et al. (2016), section 7, https://arxiv.org/abs/1512.00567; the numbers are those of
    ``torch.nn.functional.cross_entropy(..., label_smoothing=smoothing, reduction="sum")``.

    The logits are made in pieces and turned into gradients at once, so the (tokens x vocabulary)
    matrix, by far the largest of training, never exists as a whole.

    Args:
        features: what the decoder made, without padding.
        weight: of the output layer.
        bias: of the output layer.
        targets: the right tokens.
        smoothing: share of probability given to all tokens alike, 0 to 1.
    """
    device = features.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
    smoothed, likelihood = _OutputLoss.apply(features, weight, bias, targets, smoothing, dtype)  # type: ignore[no-untyped-call]
    return Loss(smoothed, likelihood)


class _OutputLoss(torch.autograd.Function):
    """Output layer, softmax and cross-entropy in one, with the gradients made on the way."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        smoothing: float,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad[:3])
        vocabulary = weight.shape[0]
        exact = torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
        low_features, low_weight, exact_bias = features.to(dtype), weight.to(dtype), bias.to(exact)
        smoothed = torch.zeros((), dtype=exact, device=features.device)
        likelihood = torch.zeros_like(smoothed)
        features_grad = torch.empty_like(low_features) if needs_gradient else None
        weight_grad = torch.zeros_like(weight) if needs_gradient else None
        bias_grad = torch.zeros_like(exact_bias) if needs_gradient else None
        rows = max(1, CHUNK // vocabulary)
        with torch.autocast(features.device.type, enabled=False):
            for begin in range(0, features.shape[0], rows):
                piece = slice(begin, begin + rows)
                logits = F.linear(low_features[piece], low_weight).to(exact).add_(exact_bias)
                right = targets[piece].unsqueeze(1)
                normalizer = torch.logsumexp(logits, dim=1)
                surprise = normalizer - logits.gather(1, right).squeeze(1)
                likelihood += surprise.sum()
                smoothed += (1 - smoothing) * surprise.sum()
                if smoothing:
                    smoothed += smoothing * (normalizer - logits.mean(1)).sum()
                if features_grad is None or weight_grad is None or bias_grad is None:
                    continue
                gradient = logits.sub_(normalizer.unsqueeze(1)).exp_().sub_(smoothing / vocabulary)
                gradient.scatter_add_(1, right, torch.full_like(right, smoothing - 1, dtype=exact))
                bias_grad += gradient.sum(0)
                low_gradient = gradient.to(dtype)
                features_grad[piece] = low_gradient @ low_weight
                weight_grad += low_gradient.T @ low_features[piece]
        if needs_gradient:
            assert features_grad is not None and weight_grad is not None  # noqa: PT018
            assert bias_grad is not None
            ctx.save_for_backward(features_grad.to(features.dtype), weight_grad, bias_grad.to(bias.dtype))
        ctx.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        features_grad, weight_grad, bias_grad = ctx.saved_tensors
        return (
            features_grad * gradient.to(features_grad.dtype),
            weight_grad * gradient.to(weight_grad.dtype),
            bias_grad * gradient.to(bias_grad.dtype),
            None,
            None,
            None,
        )
