"""Which tokens are the best of a row, the same on every device and in every batch."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
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


def best_choices(
    ranks: Float[Array, "rows vocab"], count: int, excluded: Int[Array, "any_rows excluded"] | None = None
) -> tuple[Float[Array, "rows chosen"], Int[Array, "rows chosen"]]:
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
        excluded = arrays.full((1, 0), 0, like=ranks, dtype="int64")
    if count == 1:
        return _first(without(ranks, excluded))
    # One place more than needed shows whether the last one is contested by equal values.
    places = count + excluded.shape[1] + 1
    if places > ranks.shape[1]:
        check_numbers(arrays.largest(ranks))
        return _sorted(ranks, count, excluded)
    found, tokens = _largest(ranks, places)
    check_numbers(found[:, 0])
    banned = (tokens[:, :, None] == excluded[:, None]).any(axis=2)
    if not bool((banned[:, 1:] | banned[:, :1] | (found[:, 1:] == found[:, :-1])).any()):
        return found[:, :count], tokens[:, :count]
    last = found[:, -1]
    order = arrays.ordered(tokens)
    tokens = arrays.take_along(tokens, order)
    values = arrays.take_along(arrays.masked(found, banned, _NEVER), order)
    order = arrays.ordered(values, descending=True)[:, :count]
    values, tokens = arrays.take_along(values, order), arrays.take_along(tokens, order)
    contested = (values[:, -1] == last) & (last > _NEVER)
    if bool(contested.any()):
        rows = arrays.places_of(contested)
        theirs = excluded if len(excluded) == 1 else excluded[rows]
        values[rows], tokens[rows] = _sorted(ranks[rows], count, theirs)
    return values, tokens


def check_numbers(best: Float[Array, " rows"]) -> None:
    """Raise if the best value of any row is NaN, which sorts above every number.

    Raises:
        Seq2SeqError: a search cannot rank what is not a number.
    """
    if bool(arrays.isnan(best).any()):
        raise Seq2SeqError(
            "the model's probabilities are not numbers (NaN): its training diverged or its parameters are "
            "damaged; use an earlier checkpoint"
        )


def without(ranks: Float[Array, "rows vocab"], excluded: Int[Array, "any_rows excluded"]) -> Float[Array, "rows vocab"]:
    """Return a copy with minus infinity for some tokens of all rows, or of each; negative ones stand for none."""
    if len(excluded) == 1:
        return arrays.masked_columns(ranks, excluded[0][excluded[0] >= 0], _NEVER)
    vocab = ranks.shape[1]
    banned = arrays.full((len(ranks), vocab + 1), False, like=ranks, dtype="bool")
    banned = arrays.put_along(banned, arrays.where(excluded >= 0, excluded, vocab), True)
    return arrays.masked(ranks, banned[:, :vocab], _NEVER)


def _sorted(ranks: Array, count: int, excluded: Array) -> tuple[Array, Array]:
    allowed = without(ranks, excluded)
    tokens = arrays.ordered(allowed, descending=True)[:, :count]
    return arrays.take_along(allowed, tokens), tokens


def _first(ranks: Array) -> tuple[Array, Array]:
    """Return the best of each row: the first of equals in a chunk, and chunk after chunk so as well."""
    rows, vocab = ranks.shape
    whole = vocab // _CHUNK * _CHUNK
    values, tokens = arrays.first_largest(ranks[:, whole:] if whole < vocab else ranks[:, :1])
    if whole:
        by_chunk = ranks[:, :whole].reshape(rows, -1, _CHUNK)
        early, chunk = arrays.first_largest(arrays.largest(by_chunk, axis=2))
        _, inside = arrays.first_largest(by_chunk[arrays.arange(rows, like=ranks), chunk])
        early_tokens = chunk * _CHUNK + inside
        if whole < vocab:
            later = values > early
            tokens = arrays.where(later, tokens + whole, early_tokens)
            values = arrays.maximum(values, early)  # which keeps what is not a number
        else:
            values, tokens = early, early_tokens
    check_numbers(values)
    return values[:, None], tokens[:, None]


def _largest(ranks: Array, count: int) -> tuple[Array, Array]:
    """Return what ``arrays.top`` does, sooner: finding the largest of a chunk is cheap, and few chunks matter.

    The tokens above the last value returned are all among those returned, as with ``top``: each is in a chunk
    whose largest value is above it, too, and there are fewer such chunks than ``count``.
    """
    rows, vocab = ranks.shape
    chunks = vocab // _CHUNK
    if chunks < 2 * count:
        return arrays.top(ranks, count)
    whole = chunks * _CHUNK
    by_chunk = ranks[:, :whole].reshape(rows, chunks, _CHUNK)
    _, picked = arrays.top(arrays.largest(by_chunk, axis=2), count)
    every = arrays.arange(rows, like=ranks)[:, None]
    pool = arrays.concat([by_chunk[every, picked].reshape(rows, -1), ranks[:, whole:]], axis=1)
    values, places = arrays.top(pool, count)
    chunk = places // _CHUNK
    tokens = arrays.take_along(picked, chunk.clip(max=count - 1)) * _CHUNK + places % _CHUNK
    return values, arrays.where(chunk < count, tokens, places - count * _CHUNK + whole)
