"""What beam search ranks by: log-probability, length and coverage."""

from __future__ import annotations

import math

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.errors import ConfigError, did_you_mean

_UNSEEN = 1e-6

NORMALIZATIONS = ("average", "none", "gnmt", "reward")


class Scoring:
    """How length and coverage enter the score of a hypothesis.

    ==============  =========================================================================================
    normalization   score of a hypothesis of ``length`` tokens, the end-of-sentence token counted
    ==============  =========================================================================================
    ``none``        ``log_prob``: favors short translations
    ``average``     ``log_prob / length ** length_penalty``: the mean of the tokens' log-probabilities at 1
    ``gnmt``        ``log_prob / ((5 + length) / 6) ** length_penalty``: Wu et al. (2016), equation 14
    ``reward``      ``log_prob + length_penalty * length``: a word reward, He et al. (2016)
    ==============  =========================================================================================

    To this the coverage penalty is added, ``coverage_penalty * sum_j log(min(sum_t p_tj, 1))`` over the positions j
    of the source, where ``p_tj`` is the attention on j while token t was predicted; Wu et al. (2016), equation 14,
    https://arxiv.org/abs/1609.08144. As there, only hypotheses that are complete pay it. Departing from them, a
    position that got less than a millionth counts as a millionth: some mechanisms give none at all.

    Args:
        normalization: one of these.
        length_penalty: at least 0; unused with ``none``.
        coverage_penalty: beta of the equation; at 0 attention is not even added up.
    """

    def __init__(
        self, *, normalization: str = "average", length_penalty: float = 1.0, coverage_penalty: float = 0.0
    ) -> None:
        if normalization not in NORMALIZATIONS:
            raise ConfigError(
                f"length_normalization is {normalization!r}, but it must be one of {', '.join(NORMALIZATIONS)}"
                f"{did_you_mean(normalization, NORMALIZATIONS)}"
            )
        for name, number in [("length_penalty", length_penalty), ("coverage_penalty", coverage_penalty)]:
            if not (math.isfinite(number) and number >= 0):
                raise ConfigError(f"{name} is {number}, but it must be a finite number of at least 0")
        self.normalization = normalization
        self.length_penalty = length_penalty
        self.coverage_penalty = coverage_penalty

    def upto(self, longest: int, *, like: Array) -> LengthScores:
        """Return the scores of hypotheses of up to ``longest`` tokens, for arrays of the kind of ``like``."""
        lengths = arrays.cast(arrays.arange(longest + 1, like=like), "float64")
        divisors, rewards = (arrays.full(lengths.shape, value, like=lengths) for value in (1, 0))
        if self.normalization == "average":
            divisors = lengths.clip(min=1) ** self.length_penalty  # an empty hypothesis scores 0
        elif self.normalization == "gnmt":
            divisors = ((5 + lengths) / 6) ** self.length_penalty
        elif self.normalization == "reward":
            rewards = lengths * self.length_penalty
        return LengthScores(divisors, rewards)


def log_coverage(
    attended: Float[Array, "rows source_len"], source_lengths: Int[Array, " rows"]
) -> Float[Array, " rows"]:
    """Return the sum of equation 14 over the source positions of each row's own sentence; 0 if all are covered."""
    own = arrays.arange(attended.shape[1], like=attended) < source_lengths[:, None]
    return arrays.masked(arrays.log(attended.clip(_UNSEEN, 1)), ~own, 0).sum(axis=1)


class LengthScores:
    """The scores of log-probabilities by length, from two tables.

    Args:
        divisors: by length, never falling.
        rewards: by length, never falling.
    """

    def __init__(self, divisors: Float[Array, " lengths"], rewards: Float[Array, " lengths"]) -> None:
        self._divisors = divisors
        self._rewards = rewards

    def score(self, log_probs: Float[Array, "*any"], length: int) -> Float[Array, "*any"]:
        """Return the scores of hypotheses that are all ``length`` tokens long."""
        return log_probs / self._divisors[length] + self._rewards[length]

    def best_possible(self, log_probs: Float[Array, " batch"], limits: Int[Array, " batch"]) -> Float[Array, " batch"]:
        """Return a score that no continuation exceeds, whatever the model says.

        Tokens to come add at most 0 to a log-probability, which is itself at most 0; the divisor and the reward
        never fall with the length: the best that can happen is certainty in every token until the limit. The
        coverage penalty is at most 0, too, and 0 once all is covered, which no unfinished hypothesis rules out.
        """
        return log_probs / self._divisors[limits] + self._rewards[limits]
