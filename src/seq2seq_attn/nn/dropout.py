"""Dropout over sequences, with one mask per position or one for the whole sentence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_LEVELS = 1 << 16  # probabilities that 16 random bits can tell apart


def dropout_mask(like: Tensor, probability: float) -> Tensor:
    """Draw zeros, with ``probability``, and for the rest what keeps the mean at 1; shape and type of ``like``.

    A CPU draws 64 bits at a time, enough for four numbers, in a ninth of the time that torch's own
    dropout takes there. The probability is rounded to 16 bits.
    """
    dropped = round(probability * _LEVELS)
    if like.device.type != "cpu" or dropped in (0, _LEVELS):
        return F.dropout(torch.ones_like(like), probability)
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64, device=like.device).random_(-(2**63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    return (bits >= dropped - _LEVELS // 2).to(like.dtype).mul_(_LEVELS / (_LEVELS - dropped))


class SequenceDropout(nn.Module):
    """Zero features of a sequence while training and scale the rest up.

    Args:
        probability: share of features that are zeroed.
        variational: use the same mask at all positions of a sentence (Gal and Ghahramani 2016,
            https://arxiv.org/abs/1512.05287) instead of a new one at each.
    """

    def __init__(self, probability: float, *, variational: bool = False) -> None:
        super().__init__()
        self.probability = probability
        self.variational = variational

    def forward(self, inputs: Float[Tensor, "batch len features"]) -> Float[Tensor, "batch len features"]:
        """Return the inputs with features dropped; unchanged in evaluation mode."""
        masks = self.masks(inputs, inputs.shape[2])
        return inputs if masks is None else inputs * masks

    def masks(
        self, like: Float[Tensor, "batch len any"], features: int
    ) -> Float[Tensor, "batch len_or_1 features"] | None:
        """Draw what a sequence like ``like`` is to be multiplied by; None when nothing is dropped.

        A recurrent loop draws the masks of all its steps at once, before it starts.
        """
        if not self.training or self.probability == 0.0:
            return None
        batch, length, _ = like.shape
        return dropout_mask(like.new_empty(batch, 1 if self.variational else length, features), self.probability)

    def extra_repr(self) -> str:
        """Show the settings when the module is printed."""
        return f"probability={self.probability}, variational={self.variational}"
