"""Losses on attention weights: what they should look like, beside what they should lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.data.batching import Batch

GuidedLoss = Literal["cross_entropy", "mse"]

COVERAGE = "coverage_loss"
GUIDED = "guided_alignment_loss"
WEIGHT_LOSSES = (COVERAGE, GUIDED)  # as they are logged: per target token, without their factors

FLOOR = 1e-6
"""Smallest weight the cross-entropy takes a logarithm of; below it the loss is flat and has no gradient."""


def guided_alignment_loss(
    weights: Float[Tensor, "batch target_len source_len"],
    gold: Float[Tensor, "batch target_len source_len"],
    kind: GuidedLoss,
) -> Float[Tensor, ""]:
    r"""Compare weights with gold alignments; summed over the target tokens that have links.

    .. math::
        \text{cross\_entropy} = -\sum_t \sum_j g_{tj} \log a_{tj} \qquad
        \text{mse} = \sum_t \sum_j (g_{tj} - a_{tj})^2

    Chen et al. (2016), section 3, https://arxiv.org/abs/1607.01628, and Mi, Wang and Ittycheriah (2016),
    https://arxiv.org/abs/1608.00112. The papers divide by the length of a sentence; here, as with every
    loss, the step divides by all its target tokens, those without links included. Weights below
    :data:`FLOOR` count as that in the logarithm: one that is exactly 0 (sparsemax) costs a finite amount
    and gets no gradient.

    Args:
        weights: what the model attended to.
        gold: what it should attend to; each row sums to 1, or is zero where there is nothing to compare.
        kind: ``cross_entropy`` or ``mse``.
    """
    weights = _exact(weights)
    if kind == "cross_entropy":
        linked = gold > 0
        # what is not linked must not be read: 0 * NaN is NaN
        return -(gold * weights.masked_fill(~linked, 1.0).clamp(min=FLOOR).log()).sum()
    supervised = (gold > 0).any(-1, keepdim=True)
    return (gold - weights).masked_fill(~supervised, 0.0).square().sum()


def coverage_loss(
    weights: Float[Tensor, "batch target_len source_len"], target_mask: Bool[Tensor, "batch target_len"]
) -> Float[Tensor, ""]:
    r"""Penalize looking again at where the steps before have looked; summed over target tokens.

    .. math:: \sum_t \sum_j \min(a_{tj}, c_{tj}) \qquad c_t = \sum_{t' < t} a_{t'}

    See, Liu and Manning (2017), equations 10 and 12, https://arxiv.org/abs/1704.04368.

    Args:
        weights: what the model attended to; zero on source padding.
        target_mask: True where the target has a token; other rows count for nothing.
    """
    weights = _exact(weights).masked_fill(~target_mask.unsqueeze(-1), 0.0)
    coverage = F.pad(weights.cumsum(1)[:, :-1], (0, 0, 1, 0))
    return torch.minimum(weights, coverage).sum()


def _exact(weights: Tensor) -> Tensor:
    return weights.to(torch.promote_types(weights.dtype, torch.float32))


@dataclass(frozen=True)
class WeightLosses:
    """Which losses on weights a training adds to its likelihood, and how much of each.

    Attributes:
        coverage: factor of :func:`coverage_loss`; 0 for none.
        guided: factor of :func:`guided_alignment_loss`; 0 for none.
        kind: of the guided alignment loss.
    """

    coverage: float = 0.0
    guided: float = 0.0
    kind: GuidedLoss = "cross_entropy"

    @property
    def factors(self) -> dict[str, float]:
        """The losses that count, by name, with their factors."""
        return {name: factor for name, factor in ((COVERAGE, self.coverage), (GUIDED, self.guided)) if factor}

    def sums(self, weights: Float[Tensor, "batch target_len source_len"], batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return each loss that counts, summed over the target tokens of ``batch``, without its factor."""
        found = {}
        if self.coverage:
            found[COVERAGE] = coverage_loss(weights, batch.target_mask)
        if self.guided:
            if batch.alignment is None:
                raise ValueError("guided alignment needs batches that are made with alignments")
            found[GUIDED] = guided_alignment_loss(weights, batch.alignment, self.kind)
        return found
