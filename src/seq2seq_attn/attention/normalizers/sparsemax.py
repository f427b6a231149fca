"""Sparsemax: weight for the few positions that matter, exactly none for the others."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.attention.normalizers.base import Normalizer
from seq2seq_attn.attention.normalizers.shifted import counting, shifted, single_at_least


class Sparsemax(Normalizer):
    r"""The point of the simplex that is nearest to the energies, :math:`\alpha_j = [e_j - \tau]_+`.

    Martins and Astudillo (2016), equation 2 and algorithm 1, https://arxiv.org/abs/1602.02068. The threshold
    :math:`\tau` is the one that makes the weights sum to one; it is found exactly, by sorting.
    """

    paper: ClassVar[str] = "Martins and Astudillo 2016, alg. 1"
    summary: ClassVar[str] = "weight for a few positions, exactly none for the others"

    def forward(
        self,
        energies: Float[Tensor, "batch target_len source_len"],
        mask: Bool[Tensor, "batch target_or_1 source_len"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the weights."""
        return _Sparsemax.apply(single_at_least(energies), mask)  # type: ignore[no-untyped-call]


class _Sparsemax(torch.autograd.Function):
    """Weights, with the gradient of the paper's equation 14; made of operations that can be differentiated again."""

    @staticmethod
    def forward(energies: Tensor, mask: Tensor) -> Tensor:
        energies = shifted(energies, mask)
        falling = energies.sort(dim=-1, descending=True).values
        # the threshold if the k largest are the ones with weight rises with k as long as the next one lies
        # above it, and then falls: the right one is the largest
        thresholds = (falling.cumsum(-1) - 1) / counting(energies)
        return (energies - thresholds.amax(-1, keepdim=True)).clamp_(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (weights,) = ctx.saved_tensors
        support = (weights > 0).to(weights.dtype)
        gradient = gradient * support
        mean = gradient.sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        return gradient - support * mean, None
