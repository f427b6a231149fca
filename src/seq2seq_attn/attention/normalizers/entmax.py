"""Entmax-1.5: between softmax and sparsemax."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.attention.normalizers.base import Normalizer
from seq2seq_attn.attention.normalizers.shifted import counting, shifted, single_at_least


class Entmax15(Normalizer):
    r"""Sparse weights with soft edges, :math:`\alpha_j = [e_j / 2 - \tau]_+^2`.

    Peters, Niculae and Martins (2019), section 3 and algorithm 2, https://arxiv.org/abs/1905.05702; Correia,
    Niculae and Martins (2019), https://arxiv.org/abs/1909.00015. The threshold :math:`\tau` is the one that makes
    the weights sum to one; it is found exactly, by sorting.
    """

    paper: ClassVar[str] = "Peters et al. 2019, alg. 2"
    summary: ClassVar[str] = "between softmax and sparsemax: no weight for the irrelevant, soft edges"

    def forward(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        mask: Bool[Tensor, "batch target_or_1 source_len"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the weights."""
        roots: Tensor = _Roots.apply(single_at_least(energies) / 2, mask)  # type: ignore[no-untyped-call]
        return roots.square()


class _Roots(torch.autograd.Function):
    r"""Square roots of the weights, :math:`r_j = [z_j - \tau]_+` with :math:`\sum_j r_j^2 = 1`.

    They, and not the weights, because their gradient needs no root, whose own has no bound at 0. It
    follows from differentiating the sum, :math:`d\tau = \sum_j r_j dz_j / \sum_j r_j`, and is made of operations
    that can be differentiated again.
    """

    @staticmethod
    def forward(halves: Tensor, mask: Tensor) -> Tensor:
        halves = shifted(halves, mask)
        falling = halves.sort(dim=-1, descending=True).values
        count = counting(halves)
        # the threshold if the k largest are the ones with weight is the smaller solution of
        # sum (z - tau)^2 = 1; it rises with k, and the right one is the last that leaves its k-th a weight
        mean = falling.cumsum(-1) / count
        spread = falling.square().cumsum(-1) / count - mean.square()
        thresholds = mean - (1 / count - spread).clamp_(min=0).sqrt_()
        threshold = thresholds.masked_fill_(thresholds >= falling, float("-inf")).amax(-1, keepdim=True)
        return (halves - threshold).clamp_(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (roots,) = ctx.saved_tensors
        gradient = gradient * (roots > 0)
        shared = gradient.sum(-1, keepdim=True) / roots.sum(-1, keepdim=True)
        return gradient - roots * shared, None
