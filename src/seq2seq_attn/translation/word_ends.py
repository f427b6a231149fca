"""A given beginning is whole words: nothing grows on its last one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq_attn.decoding import Past


class WordEnds:
    """A rule for one batch: behind the prefix of a translation comes what does not go on with its last word.

    Args:
        prefixes: of the sentences of the batch, in target ids; empty where there is none.
        word_starts: which tokens do not go on with a word.
        eos: end-of-sentence token.
    """

    def __init__(self, prefixes: Sequence[Sequence[int]], word_starts: Bool[Tensor, " vocab"], eos: int) -> None:
        self._ends = torch.tensor([len(prefix) or -1 for prefix in prefixes])
        self._goes_on = ~word_starts
        self._goes_on[eos] = False

    def __call__(self, log_probs: Float[Tensor, "rows vocab"], past: Past) -> Float[Tensor, "rows vocab"]:
        """Give no chance to tokens that would make the last word of the prefix longer."""
        device = log_probs.device
        at_end = self._ends.to(device)[past.sentences] == past.tokens.shape[1]
        if not bool(at_end.any()):
            return log_probs
        return log_probs.masked_fill(at_end.unsqueeze(1) & self._goes_on.to(device), float("-inf"))
