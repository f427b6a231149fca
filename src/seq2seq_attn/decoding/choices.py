"""Which tokens are the best of a row, the same on every device and in every batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.errors import Seq2SeqError

_NEVER = float("-inf")
_CHUNK = 64  # tokens; the best of a row are looked for in its best chunks only


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
    ranks: Float[Tensor, "rows vocab"], count: int, excluded: Int[Tensor, "any_rows excluded"] | None = None
) -> tuple[Float[Tensor, "rows chosen"], Int[Tensor, "rows chosen"]]:
    """Return the ``count`` best of each row, or all there are: values and tokens, best first.

    Equal values go to the lower token, which ``topk`` does not promise: it may
    even answer differently for the same row in another batch. Half precision
    makes equal values common.

    Args:
        ranks: what tokens are chosen by.
        count: tokens to choose.
        excluded: tokens that come out with minus infinity, of each row or of all; a negative one stands for
            none. They cost a few more places, which is less than a copy of all ranks without them.
    """
    if excluded is None:
        excluded = torch.empty(1, 0, dtype=torch.long, device=ranks.device)
    if count == 1:
        return _first(without(ranks, excluded))
    # One place more than needed shows whether the last one is contested by equal values.
    places = count + excluded.shape[1] + 1
    if places > ranks.shape[1]:
        check_numbers(ranks.amax(dim=1))
        return _sorted(ranks, count, excluded)
    found, tokens = _largest(ranks, places)
    check_numbers(found[:, 0])
    banned = (tokens.unsqueeze(2) == excluded.unsqueeze(1)).any(dim=2)
    if not bool((banned[:, 1:] | banned[:, :1] | (found[:, 1:] == found[:, :-1])).any()):
        return found[:, :count], tokens[:, :count]
    last = found[:, -1]
    tokens, order = tokens.sort(dim=1)
    values = found.masked_fill(banned, _NEVER).gather(1, order)
    values, order = values.sort(dim=1, descending=True, stable=True)
    values, tokens = values[:, :count], tokens.gather(1, order)[:, :count]
    contested = (values[:, -1] == last) & (last > _NEVER)
    if bool(contested.any()):
        rows = contested.nonzero().squeeze(1)
        theirs = excluded if len(excluded) == 1 else excluded[rows]
        values[rows], tokens[rows] = _sorted(ranks[rows], count, theirs)
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


def without(
    ranks: Float[Tensor, "rows vocab"], excluded: Int[Tensor, "any_rows excluded"]
) -> Float[Tensor, "rows vocab"]:
    """Return a copy with minus infinity for some tokens of all rows, or of each; negative ones stand for none."""
    if len(excluded) == 1:
        return ranks.index_fill(1, excluded[0][excluded[0] >= 0], _NEVER)
    vocab = ranks.shape[1]
    banned = ranks.new_zeros(len(ranks), vocab + 1, dtype=torch.bool)
    banned.scatter_(1, excluded.where(excluded >= 0, vocab), True)
    return ranks.masked_fill(banned[:, :vocab], _NEVER)


def _sorted(ranks: Tensor, count: int, excluded: Tensor) -> tuple[Tensor, Tensor]:
    values, tokens = without(ranks, excluded).sort(dim=1, descending=True, stable=True)
    return values[:, :count], tokens[:, :count]


def _first(ranks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best of each row; ``max`` promises the first of equals, so chunk after chunk it is the first, too."""
    rows, vocab = ranks.shape
    whole = vocab // _CHUNK * _CHUNK
    values, tokens = ranks[:, whole:].max(dim=1) if whole < vocab else (ranks[:, 0], ranks.new_zeros(rows).long())
    if whole:
        by_chunk = ranks[:, :whole].view(rows, -1, _CHUNK)
        early, chunk = by_chunk.amax(dim=2).max(dim=1)
        inside = by_chunk[torch.arange(rows, device=ranks.device), chunk].max(dim=1).indices
        later = (values > early) if whole < vocab else torch.zeros_like(early, dtype=torch.bool)
        values = torch.maximum(values, early) if whole < vocab else early  # which keeps what is not a number
        tokens = torch.where(later, tokens + whole, chunk * _CHUNK + inside)
    check_numbers(values)
    return values.unsqueeze(1), tokens.unsqueeze(1)


def _largest(ranks: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return what ``topk`` does, sooner: finding the largest of a chunk is cheap, and few chunks matter.

    The tokens above the last value returned are all among those returned, as with ``topk``: each is in a chunk
    whose largest value is above it, too, and there are fewer such chunks than ``count``.
    """
    rows, vocab = ranks.shape
    chunks = vocab // _CHUNK
    if chunks < 2 * count:
        values, tokens = ranks.topk(count, dim=1)
        return values, tokens
    whole = chunks * _CHUNK
    by_chunk = ranks[:, :whole].view(rows, chunks, _CHUNK)
    picked = by_chunk.amax(dim=2).topk(count, dim=1).indices
    every = torch.arange(rows, device=ranks.device).unsqueeze(1)
    pool = torch.cat([by_chunk[every, picked].flatten(1), ranks[:, whole:]], dim=1)
    values, places = pool.topk(count, dim=1)
    chunk = places // _CHUNK
    tokens = picked.gather(1, chunk.clamp(max=count - 1)) * _CHUNK + places % _CHUNK
    return values, torch.where(chunk < count, tokens, places - count * _CHUNK + whole)
