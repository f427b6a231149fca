"""Against saying the same thing again."""

from __future__ import annotations

import math

from jaxtyping import Float

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.protocol import Past
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


class NoRepeatNGram:
    """No ``size`` tokens in a row are written twice; Paulus, Xiong and Socher (2018).

    https://arxiv.org/abs/1705.04304. They forbid trigrams. The end of a sentence is never forbidden.

    Args:
        size: tokens of an n-gram; at 1 no token comes twice.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ConfigError(f"no_repeat_ngram is {size}, but an n-gram has at least 1 token; 0 tokens means no rule")
        self.size = size

    def __call__(self, log_probs: Float[Array, "rows vocab"], past: Past) -> Float[Array, "rows vocab"]:
        """Give no chance to a token that would complete an n-gram of the past."""
        if past.tokens.shape[1] < self.size:
            return log_probs
        count = past.tokens.shape[1] - self.size + 1
        each = arrays.arange(count, like=past.tokens)[:, None] + arrays.arange(self.size, like=past.tokens)
        written = past.tokens[:, each]  # rows, places, size
        newest = past.tokens[:, count:]
        again = (written[:, :, :-1] == newest[:, None]).all(axis=2)
        found = arrays.places_of(again.reshape(-1))
        if not len(found):
            return log_probs
        rows, places = found // count, found % count
        ranks = arrays.copy(log_probs)
        ranks[rows, written[rows, places, -1]] = _NEVER
        return ranks


class RepetitionPenalty:
    """Tokens that were written before are less likely to come again; Keskar et al. (2019), section 4.1.

    https://arxiv.org/abs/1909.05858. They divide the logits of such tokens by a factor, about 1.2, which makes a
    negative logit more likely. Here the factor multiplies log-probabilities, none of which is positive, and the
    rest is not normalized again: a hypothesis gains nothing from what it could have repeated.

    Args:
        factor: at least 1; 1 changes nothing.
    """

    def __init__(self, factor: float) -> None:
        if not (math.isfinite(factor) and factor >= 1):
            raise ConfigError(f"repetition_penalty is {factor}, but it must be a finite number of at least 1")
        self.factor = factor

    def __call__(self, log_probs: Float[Array, "rows vocab"], past: Past) -> Float[Array, "rows vocab"]:
        """Multiply the log-probabilities of the tokens of the past by the factor."""
        if self.factor == 1 or not past.tokens.shape[1]:
            return log_probs
        written = arrays.take_along(log_probs, past.tokens)
        return arrays.put_along(log_probs, past.tokens, written * self.factor)
