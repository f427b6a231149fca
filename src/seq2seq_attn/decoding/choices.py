"""What may come next, and which of it is best, the same on every device and in every batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.errors import Seq2SeqError

_NEVER = float("-inf")


class SpecialTokens:
    """The few token ids that mean something to search.

    Args:
        bos: begin of sentence, fed to the model first and never chosen.
        eos: end of sentence.
        forbidden: other tokens that are never chosen.
    """

    def __init__(self, *, bos: int, eos: int, forbidden: Sequence[int] = ()) -> None:
        if eos == bos or eos in forbidden:
            raise ValueError(f"the end-of-sentence token {eos} must be a token that search may choose")
        self.bos = bos
        self.eos = eos
        self.forbidden = sorted({bos, *forbidden})

    def allow(self, log_probs: Float[Tensor, "rows vocab"]) -> Float[Tensor, "rows vocab"]:
        """Return a copy in which forbidden tokens have no chance; the model's own numbers stay."""
        return log_probs.index_fill(1, torch.tensor(self.forbidden, device=log_probs.device), _NEVER)


def best_choices(
    log_probs: Float[Tensor, "rows vocab"], count: int
) -> tuple[Float[Tensor, "rows chosen"], Int[Tensor, "rows chosen"]]:
    """Return the ``count`` best of each row, or all there are: values and tokens, best first.

    Equal values go to the lower token, which ``topk`` does not promise: it may
    even answer differently for the same row in another batch. Half precision
    makes equal values common.
    """
    if count >= log_probs.shape[1]:
        values, tokens = log_probs.sort(dim=1, descending=True, stable=True)
    else:
        values, tokens = _top(log_probs, count)
    check_numbers(values[:, 0])
    return values, tokens


def check_numbers(best: Float[Tensor, " rows"]) -> None:
    """Raise if the best value of any row is NaN, which sorts above every number.

    Raises:
        Seq2SeqError: a search cannot rank what is not a number.
    """
    if bool(best.isnan().any()):
        raise Seq2SeqError(
            "the model's probabilities are not numbers (NaN): its training diverged or its parameters are "
            "damaged; use an earlier checkpoint"
        )


def _top(log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    # One more than asked for shows whether the last place is contested by equal values.
    values, tokens = log_probs.topk(count + 1, dim=1)
    contested = (values[:, -1] == values[:, -2]) & (values[:, -1] > _NEVER)
    if bool(contested.any()):
        rows = contested.nonzero().squeeze(1)
        ranked, order = log_probs[rows].sort(dim=1, descending=True, stable=True)
        values[rows], tokens[rows] = ranked[:, : count + 1], order[:, : count + 1]
    tokens, order = tokens[:, :count].sort(dim=1)
    values, order = values[:, :count].gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, tokens.gather(1, order)
