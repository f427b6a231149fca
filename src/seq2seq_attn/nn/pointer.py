r"""The pointer-generator: write a word of the vocabulary, or copy one that the attention looks at.

See, Liu and Manning (2017), section 2.2, equations 8 and 9, https://arxiv.org/abs/1704.04368:

.. math::
    p_{gen} &= \sigma(w_c c_t + w_s s_t + w_x x_t + b) \\
    P(w) &= p_{gen} P_{vocab}(w) + (1 - p_{gen}) \sum_{j: x_j = w} a_{t,j}

Departures from the paper:

* Source and target share one vocabulary, and what is copied is one of its tokens. The paper adds the
  source's unknown words to the vocabulary of each sentence; here subwords or characters spell them.
* A sentence's end-of-sentence symbol is a source token like any other: attention to it copies the end.
* Attention weights may sum to :math:`m < 1` (a Gaussian window, monotonic attention). What is not
  attended to cannot be copied and is generated: :math:`1 - (1 - p_{gen}) m` stands for :math:`p_{gen}`,
  so that :math:`P` sums to 1 whatever the mechanism. Where :math:`m = 1` this is equation 9.

Weights are zero where a source has no token, as every mechanism gives them; so padding is never copied.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.nn.losses import Loss, Projection
from seq2seq_attn.products.first_order import first_order
from seq2seq_attn.products.precision import product_dtype

FLOOR = 1e-30
"""Smaller probabilities of generating are taken for this one, and smaller ones of copying for zero.

So no logarithm is infinite and no gradient is: even float32 holds its inverse.
"""


class CopyGate(nn.Module):
    r"""The probability of generating rather than copying (See et al. 2017, equation 8).

    .. math:: p_{gen} = \sigma(w_c c_t + w_s s_t + w_x x_t + b)

    It begins at :math:`\sigma(1) = 0.73` everywhere: the weights are zero and the bias is 1. A model
    that has not learned where to look does best to generate, and copying still gets a share of every
    gradient.

    Args:
        context_size: features of a context.
        state_size: features of the decoder state.
        embedding_size: features of the embedding of the token that the decoder read.
    """

    def __init__(self, *, context_size: int, state_size: int, embedding_size: int) -> None:
        super().__init__()
        self.context = nn.Linear(context_size, 1, bias=False)
        self.state = nn.Linear(state_size, 1, bias=False)
        self.embedding = nn.Linear(embedding_size, 1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        nn.init.ones_(self.embedding.bias)

    def forward(
        self,
        context: Float[Tensor, "batch target_len context"],
        state: Float[Tensor, "batch target_len state"],
        embedded: Float[Tensor, "batch target_len embedding"],
    ) -> Float[Tensor, "batch target_len"]:
        """Return the probability of generating at each target position, float32 at least."""
        exact = torch.promote_types(self.embedding.weight.dtype, torch.float32)
        with torch.autocast(context.device.type, enabled=False):
            energy = F.linear(context.to(exact), self.context.weight.to(exact))
            energy = energy + F.linear(state.to(exact), self.state.weight.to(exact))
            energy = energy + F.linear(
                embedded.to(exact), self.embedding.weight.to(exact), self.embedding.bias.to(exact)
            )
            return energy.squeeze(-1).sigmoid()


def mixed_log_probs(
    logits: Float[Tensor, "batch *target_len vocabulary"],
    generate: Float[Tensor, " batch *target_len"],
    weights: Float[Tensor, "batch *target_len source_len"],
    source: Int[Tensor, "batch source_len"],
) -> Float[Tensor, "batch *target_len vocabulary"]:
    """Return log-probabilities of what is generated or copied (See et al. 2017, equation 9).

    They are finite, float32 at least, and exponentiate to 1 in sum.

    Args:
        logits: of the output layer.
        generate: probability of generating, from a :class:`CopyGate`.
        weights: attention over the source, zero where it has no token.
        source: its token ids, in the vocabulary of ``logits``.
    """
    exact = torch.promote_types(logits.dtype, torch.float32)
    log_generate, copied = _shares(generate, weights, exact)
    between = (1,) * (weights.dim() - 2)
    tokens = source.view(source.shape[0], *between, -1).expand(weights.shape)
    first = _first_positions(source).view(tokens.shape[0], *between, -1).expand(weights.shape)
    copied = torch.zeros_like(copied).scatter_add(-1, first, copied)
    generated = torch.log_softmax(logits, dim=-1, dtype=exact) + log_generate.unsqueeze(-1)
    mixed = _log_add(generated.gather(-1, tokens), copied).gather(-1, first)
    # Every place of a repeated token writes the same number, and scatter would give each the whole gradient.
    positions = torch.arange(source.shape[1], device=source.device)
    return generated.scatter(-1, tokens, torch.where(first == positions, mixed, mixed.detach()))


class Copying(NamedTuple):
    """What flattened target tokens may be copied from, and how probably they are not."""

    generate: Float[Tensor, " tokens"]
    weights: Float[Tensor, "tokens source_len"]
    source: Int[Tensor, "sentences source_len"]
    sentence: Int[Tensor, " tokens"]  # the row of ``source`` that each target token translates


def pointer_loss(
    features: Float[Tensor, "tokens features"],
    weight: Float[Tensor, "vocabulary features"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " tokens"],
    copying: Copying,
    *,
    smoothing: float = 0.0,
) -> Loss:
    r"""Return what :func:`~seq2seq_attn.nn.losses.output_loss` does, for a model that may copy.

    The loss is the label-smoothed cross-entropy of equation 9. With :math:`S = softmax(z)`, the target
    :math:`q_v = (1 - \epsilon) [v = y] + \epsilon / V`, the probability :math:`C_v` of copying :math:`v`,
    :math:`P_v = g S_v + C_v` and :math:`u_v = q_v g S_v / P_v`, its gradients are

    .. math::
        \frac{\partial L}{\partial z_v} = S_v \sum_w u_w - u_v \qquad
        \frac{\partial L}{\partial \log g} = -\sum_v u_v \qquad
        \frac{\partial L}{\partial C_v} = -\frac{q_v}{P_v}

    Where nothing is copied :math:`u_v = q_v`. So all that copying adds happens at the tokens of the
    source, and the (tokens x vocabulary) matrix is gone through as often as without it, in pieces.

    Args:
        features: what the decoder made, without padding.
        weight: of the output layer.
        bias: of the output layer.
        targets: the right tokens.
        copying: where they may be copied from.
        smoothing: share of probability given to all tokens alike, 0 to 1.
    """
    low = features.to(product_dtype(features))
    exact = torch.promote_types(low.dtype, torch.float32)
    log_generate, copied = _shares(copying.generate, copying.weights, exact)
    first = _first_positions(copying.source)[copying.sentence]
    copied = torch.zeros_like(copied).scatter_add(1, first, copied)
    right = _Right(targets, copying.source, copying.sentence, smoothing)
    smoothed, likelihood = _PointerLoss.apply(low, weight, bias, log_generate, copied, right)  # type: ignore[no-untyped-call]
    return Loss(smoothed, likelihood)


def _shares(
    generate: Float[Tensor, "*axes"], weights: Float[Tensor, "*axes source_len"], exact: torch.dtype
) -> tuple[Float[Tensor, "*axes"], Float[Tensor, "*axes source_len"]]:
    """Return the log-probability of generating and the probability of copying each source position; they sum to 1."""
    rounding = 8 * torch.finfo(weights.dtype).eps
    generate, weights = generate.to(exact), weights.to(exact)
    mass, copy = weights.sum(-1), 1 - generate
    # A sum that misses 1, on either side, by no more than rounding must not generate what the gate forbids.
    whole = mass > 1 - rounding
    nowhere = torch.where(whole, 0.0, 1 - mass)
    copied = (copy / torch.where(whole, mass.detach(), 1.0)).unsqueeze(-1) * weights
    return (generate + copy * nowhere).clamp(min=FLOOR).log(), copied


def _first_positions(source: Int[Tensor, "batch source_len"]) -> Int[Tensor, "batch source_len"]:
    """Return for each source position the first that holds the same token."""
    positions = torch.arange(source.shape[1], device=source.device)
    same = source.unsqueeze(2) == source.unsqueeze(1)
    return torch.where(same, positions, source.shape[1]).amin(-1)


def _log_add(generated: Float[Tensor, "*axes"], copied: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Add the probability ``copied`` to a log-probability; exactly the latter where that is zero."""
    some = copied > FLOOR
    return torch.where(some, torch.logaddexp(generated, torch.where(some, copied, 1.0).log()), generated)


class _Right(NamedTuple):
    """What the loss compares with; nothing of it has a gradient."""

    targets: Int[Tensor, " tokens"]
    source: Int[Tensor, "sentences source_len"]
    sentence: Int[Tensor, " tokens"]
    smoothing: float


class _PointerLoss(torch.autograd.Function):
    """Output layer, softmax, copying and cross-entropy in one, with the gradients made on the way.

    ``copied`` holds the whole probability of copying a token at the first position of the source that
    holds it, and zero at all others.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        log_generate: Tensor,
        copied: Tensor,
        right: _Right,
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad)
        smoothing, vocabulary = right.smoothing, weight.shape[0]
        log_generate_grad, copied_grad = torch.empty_like(log_generate), torch.empty_like(copied)
        with torch.autocast(features.device.type, enabled=False):
            projection = Projection(features, weight, bias, needs_gradient=needs_gradient)
            smoothed = torch.zeros((), dtype=projection.exact, device=features.device)
            likelihood = torch.zeros_like(smoothed)
            for piece, logits in projection.pieces():
                target = right.targets[piece].unsqueeze(1)
                tokens = right.source[right.sentence[piece]]
                is_target = tokens == target
                normalizer = torch.logsumexp(logits, dim=1) - log_generate[piece]
                generated = logits.gather(1, tokens) - normalizer.unsqueeze(1)
                mixed = _log_add(generated, copied[piece])
                generated_target = logits.gather(1, target).squeeze(1) - normalizer
                surprise = -_log_add(generated_target, (copied[piece] * is_target).sum(1))
                likelihood += surprise.sum()
                smoothed += (1 - smoothing) * surprise.sum()
                if smoothing:
                    smoothed += smoothing * (normalizer - logits.mean(1)).sum()
                    smoothed -= smoothing / vocabulary * (mixed - generated).sum()
                if not needs_gradient:
                    continue
                wanted = (1 - smoothing) * is_target.to(projection.exact) + smoothing / vocabulary  # q
                taken = -wanted * torch.expm1(generated - mixed)  # q - u; nothing at the repeats of a token
                total = (1 - taken.sum(1)).clamp(min=0)  # the sum of u
                log_generate_grad[piece] = -total
                copied_grad[piece] = -wanted * torch.exp(-mixed.clamp(min=math.log(FLOOR)))
                shift = normalizer + log_generate[piece] - total.log()
                gradient = logits.sub_(shift.unsqueeze(1)).exp_().sub_(smoothing / vocabulary)
                gradient.scatter_add_(1, target, torch.full_like(target, smoothing - 1, dtype=projection.exact))
                gradient.scatter_add_(1, tokens, taken)
                projection.descend(piece, gradient)
        if needs_gradient:
            ctx.save_for_backward(*projection.gradients(), log_generate_grad, copied_grad)
        ctx.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    @first_order
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (*(part * gradient.to(part.dtype) for part in ctx.saved_tensors), None)
