"""Sentences side by side, as numpy arrays: for those who do without torch, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seq2seq_attn.data.tokenizers.base import EOS, PAD

Ids: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]
"""Token ids of one sentence, without special symbols."""


def padded_sources(sources: Sequence[Ids]) -> tuple[Int[np.ndarray, "batch source_len"], Int[np.ndarray, " batch"]]:
    """Put source sentences (token ids without special symbols) side by side: padded ids and lengths."""
    return padded(sources, after=(EOS,)), lengths_of(sources)


def lengths_of(sequences: Sequence[Ids]) -> NDArray[np.int64]:
    """Return how many tokens each has, its end counted."""
    return np.array([len(ids) + 1 for ids in sequences], dtype=np.int64)


def padded(sequences: Sequence[Ids], *, before: Sequence[int] = (), after: Sequence[int] = ()) -> NDArray[np.int64]:
    """Put sequences side by side, each with the same tokens before and after it, then padding."""
    extra = len(before) + len(after)
    longest = max((len(ids) for ids in sequences), default=0) + extra
    side_by_side = np.full((len(sequences), longest), PAD, dtype=np.int64)
    for row, ids in zip(side_by_side, sequences, strict=True):
        end = len(before) + len(ids)
        row[: len(before)] = before
        row[len(before) : end] = ids
        row[end : end + len(after)] = after
    return side_by_side
