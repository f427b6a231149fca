"""A given beginning is whole words: nothing grows on its last one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from seq2seq_attn.decoding import Past, arrays
from seq2seq_attn.decoding.arrays import Array


class WordEnds:
    """A rule for one batch: behind the prefix of a translation comes what does not go on with its last word.

    Args:
        prefixes: of the sentences of the batch, in target ids; empty where there is none.
        word_starts: which tokens do not go on with a word.
        eos: end-of-sentence token.
    """

    def __init__(self, prefixes: Sequence[Sequence[int]], word_starts: Bool[np.ndarray, " vocab"], eos: int) -> None:
        self._ends = np.array([len(prefix) or -1 for prefix in prefixes])
        self._goes_on = ~word_starts
        self._goes_on[eos] = False

    def __call__(self, log_probs: Float[Array, "rows vocab"], past: Past) -> Float[Array, "rows vocab"]:
        """Give no chance to tokens that would make the last word of the prefix longer."""
        at_end = arrays.moved(self._ends, like=log_probs)[past.sentences] == past.tokens.shape[1]
        if not bool(at_end.any()):
            return log_probs
        goes_on = arrays.moved(self._goes_on, like=log_probs)
        return arrays.masked(log_probs, at_end[:, None] & goes_on, float("-inf"))
