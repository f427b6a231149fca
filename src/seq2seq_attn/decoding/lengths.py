"""How long a hypothesis may grow, and how its length enters its score."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.errors import ConfigError


class LengthLimit:
    """The most target tokens, end-of-sentence token included: ``ratio * source + extra``, at least 1.

    Args:
        ratio: target tokens per source token.
        extra: tokens on top, so that short sentences have room.
    """

    def __init__(self, *, ratio: float, extra: int) -> None:
        if not (math.isfinite(ratio) and ratio >= 0):
            raise ConfigError(f"max_length_ratio is {ratio}, but it must be a finite number of at least 0")
        if extra < 0:
            raise ConfigError(f"extra_length is {extra}, but it must be at least 0")
        self.ratio = ratio
        self.extra = extra

    def __call__(self, source_lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Return the limit of each sentence, which depends on no other sentence."""
        limits = (source_lengths.double() * self.ratio).floor().long() + self.extra
        return limits.clamp(min=1)


class LengthPenalty:
    """Score of a hypothesis: its log-probability divided by its length to the power of ``exponent``.

    0 ranks by probability, which favors short translations; 1 ranks by the
    mean of the tokens' log-probabilities.

    Args:
        exponent: any number of at least 0.
        longest: the largest length that will be asked for.
        device: where the log-probabilities are.
    """

    def __init__(self, exponent: float, *, longest: int, device: torch.device) -> None:
        lengths = torch.arange(longest + 1, dtype=torch.float64, device=device)
        lengths[0] = 1  # an empty hypothesis has log-probability 0 and so score 0
        self._divisors = lengths**exponent

    def score(self, log_probs: Float[Tensor, "*any"], length: int) -> Float[Tensor, "*any"]:
        """Return the scores of hypotheses that are all ``length`` tokens long."""
        return log_probs / self._divisors[length]

    def best_possible(
        self, log_probs: Float[Tensor, " batch"], limits: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        """Return a score that no continuation exceeds, whatever the model says.

        Tokens to come add at most 0 to a log-probability, which is itself at
        most 0, and the divisor grows with the length: the best that can happen
        is certainty in every token until the limit.
        """
        return log_probs / self._divisors[limits]
