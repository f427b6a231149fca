"""The training loss, together with the output layer it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.products.first_order import first_order
from seq2seq_attn.products.kernels import multiply, multiply_back, weight_gradient
from seq2seq_attn.products.precision import product_dtype

CHUNK = 1 << 22
"""Most (tokens x vocabulary) cells whose gradients exist at a time: 8 MiB in bfloat16, 16 MiB in float32."""

BLOCK = 1 << 20
"""Most cells that a softmax goes through at a time; 4 MiB in float32, so that they stay in the processor's cache."""


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


ROWS = 64
"""Products of many rows get a multiple of so many: a kernel is made anew for each number of them."""


class Projection:
    """The output layer on its way through a loss: gives logits in pieces and takes their gradients back.

    Products are in the precision of ``features``, everything else in float32 at least. The products of the
    gradients are made for many pieces at once, which is faster than piece by piece.
    """

    def __init__(self, features: Tensor, weight: Tensor, bias: Tensor, *, needs_gradient: bool) -> None:
        dtype = features.dtype
        self.exact = torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
        self._weight, self._bias = weight.to(dtype), bias.to(self.exact)
        self._bias_dtype = bias.dtype
        self._tokens, vocabulary = features.shape[0], weight.shape[0]
        block, chunk = (max(1, cells // vocabulary) for cells in (min(BLOCK, CHUNK), CHUNK))
        unit = ROWS if self._tokens >= ROWS <= block else 1
        self._block = block // unit * unit  # rows of a piece
        self._chunk = chunk // unit * unit  # rows of a product of gradients
        self._rows = -(-self._tokens // unit) * unit
        extra = self._rows - self._tokens
        self._features = F.pad(features, (0, 0, 0, extra)) if extra else features
        if needs_gradient:
            self._features_grad = torch.empty_like(self._features)
            self._weight_grad: Tensor | None = None
            self._bias_grad = torch.zeros_like(self._bias)
            self._gradient = features.new_empty(min(self._chunk, self._rows), vocabulary)
            self._room = None if dtype == self.exact else self._bias.new_empty(min(block, self._rows), vocabulary)

    def pieces(self) -> Iterator[tuple[slice, Float[Tensor, "piece vocabulary"]]]:
        """Go through the tokens; the logits are the caller's to overwrite."""
        for begin in range(0, self._tokens, self._chunk):
            end = min(begin + self._chunk, self._rows)
            for start in range(begin, end, self._block):
                piece = slice(start, min(start + self._block, end, self._tokens))
                logits = multiply(self._features[start : min(start + self._block, end)], self._weight)
                yield piece, logits[: piece.stop - start].to(self.exact).add_(self._bias)

    def room(self, piece: slice) -> Float[Tensor, "piece vocabulary"]:
        """Return where the gradient of ``piece`` may be written before it is given to :meth:`descend`."""
        return self._place(piece) if self._room is None else self._room[: piece.stop - piece.start]

    def descend(self, piece: slice, gradient: Float[Tensor, "piece vocabulary"]) -> None:
        """Take the gradient of the logits of ``piece``; pieces come in their order."""
        self._bias_grad += gradient.sum(0)
        place = self._place(piece)
        if place.data_ptr() != gradient.data_ptr():
            place.copy_(gradient)
        if piece.stop == self._tokens or piece.stop % self._chunk == 0:
            self._multiply_back(slice((piece.stop - 1) // self._chunk * self._chunk, piece.stop))

    def _multiply_back(self, chunk: slice) -> None:
        """Make the products of the gradients of a chunk that is complete."""
        tokens = chunk.stop - chunk.start
        rows = min(chunk.start + self._chunk, self._rows) - chunk.start
        whole = self._gradient[:rows]
        whole[tokens:] = 0
        chunk = slice(chunk.start, chunk.start + rows)
        self._features_grad[chunk] = multiply_back(whole, self._weight)
        found = weight_gradient(whole, self._features[chunk])
        if self._weight_grad is None:
            self._weight_grad = found if chunk.stop == self._rows else found.to(self.exact)
        else:
            self._weight_grad += found

    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return those of features, weight and bias; the second in the precision of products or better."""
        weight_grad = torch.zeros_like(self._weight) if self._weight_grad is None else self._weight_grad
        return self._features_grad[: self._tokens], weight_grad, self._bias_grad.to(self._bias_dtype)

    def _place(self, piece: slice) -> Tensor:
        begin = piece.start % self._chunk
        return self._gradient[begin : begin + piece.stop - piece.start]


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
                surprise = -logits.gather(1, right).squeeze(1)
                spread = -logits.mean(1) if smoothing else surprise
                # the softmax of the largest logit is never 0, and tells what all are divided by
                largest = logits.amax(1)
                gradient = torch.softmax(logits, 1, out=projection.room(piece) if needs_gradient else None)
                normalizer = largest - gradient.amax(1).log()
                surprise = (surprise + normalizer).sum()
                likelihood += surprise
                smoothed += (1 - smoothing) * surprise
                if smoothing:
                    smoothed += smoothing * (spread + normalizer).sum()
                if not needs_gradient:
                    continue
                if smoothing:
                    gradient -= smoothing / weight.shape[0]
                gradient.scatter_add_(1, right, torch.full_like(right, smoothing - 1, dtype=projection.exact))
                projection.descend(piece, gradient)
        if needs_gradient:
            ctx.dtype = weight.dtype
            ctx.save_for_backward(*projection.gradients())
        ctx.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    @first_order
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        of_features, of_weight, of_bias = ctx.saved_tensors
        of_weight = of_weight.to(ctx.dtype, copy=True).mul_(gradient)
        return of_features * gradient.to(of_features.dtype), of_weight, of_bias * gradient.to(of_bias.dtype), None, None
