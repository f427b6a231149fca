"""The training loss, together with the output layer it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.nn.precision import product_dtype

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
    low = features.to(product_dtype(features))
    smoothed, likelihood = _OutputLoss.apply(low, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return Loss(smoothed, likelihood)


class Projection:
    """The output layer on its way through a loss: gives logits in pieces and takes their gradients back.

    Products are in the precision of ``features``, everything else in float32 at least.
    """

    def __init__(self, features: Tensor, weight: Tensor, bias: Tensor, *, needs_gradient: bool) -> None:
        dtype = features.dtype
        self.exact = torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
        self._features, self._weight, self._bias = features, weight.to(dtype), bias.to(self.exact)
        self._bias_dtype = bias.dtype
        if needs_gradient:
            self._features_grad = torch.empty_like(features)
            self._weight_grad = torch.zeros_like(weight)
            self._bias_grad = torch.zeros_like(self._bias)

    def pieces(self) -> Iterator[tuple[slice, Float[Tensor, "piece vocabulary"]]]:
        """Go through the tokens; the logits are the caller's to overwrite."""
        rows = max(1, CHUNK // self._weight.shape[0])
        for begin in range(0, self._features.shape[0], rows):
            piece = slice(begin, begin + rows)
            yield piece, F.linear(self._features[piece], self._weight).to(self.exact).add_(self._bias)

    def descend(self, piece: slice, gradient: Float[Tensor, "piece vocabulary"]) -> None:
        """Take the gradient of the logits of ``piece``."""
        self._bias_grad += gradient.sum(0)
        low_gradient = gradient.to(self._features.dtype)
        self._features_grad[piece] = low_gradient @ self._weight
        self._weight_grad += low_gradient.T @ self._features[piece]

    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return those of features, weight and bias."""
        return self._features_grad, self._weight_grad, self._bias_grad.to(self._bias_dtype)


class _OutputLoss(torch.autograd.Function):
    """Output layer, softmax and cross-entropy in one, with the gradients made on the way."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad)
        with torch.autocast(features.device.type, enabled=False):
            projection = Projection(features, weight, bias, needs_gradient=needs_gradient)
            smoothed = torch.zeros((), dtype=projection.exact, device=features.device)
            likelihood = torch.zeros_like(smoothed)
            for piece, logits in projection.pieces():
                right = targets[piece].unsqueeze(1)
                normalizer = torch.logsumexp(logits, dim=1)
                surprise = normalizer - logits.gather(1, right).squeeze(1)
                likelihood += surprise.sum()
                smoothed += (1 - smoothing) * surprise.sum()
                if smoothing:
                    smoothed += smoothing * (normalizer - logits.mean(1)).sum()
                if not needs_gradient:
                    continue
                gradient = logits.sub_(normalizer.unsqueeze(1)).exp_().sub_(smoothing / weight.shape[0])
                gradient.scatter_add_(1, right, torch.full_like(right, smoothing - 1, dtype=projection.exact))
                projection.descend(piece, gradient)
        if needs_gradient:
            ctx.save_for_backward(*projection.gradients())
        ctx.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (*(part * gradient.to(part.dtype) for part in ctx.saved_tensors), None, None)
