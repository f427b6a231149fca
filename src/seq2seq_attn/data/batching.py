"""Sentences side by side: padded tensors and their masks.

Axis names, the same in every signature of this package:
    batch       sentences
    source_len  source positions, ``EOS`` and padding included
    target_len  target positions, ``BOS`` or ``EOS`` and padding included
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from seq2seq_attn.data.padding import Ids, lengths_of, padded, padded_sources
from seq2seq_attn.data.tokenizers.base import BOS, EOS


@dataclass(frozen=True)
class Batch:
    """Sentence pairs for one step of training; every length is at least 1.

    Attributes:
        source: ``x EOS``, then padding.
        source_lengths: tokens of each source sentence, ``EOS`` counted.
        target_in: ``BOS y``, what the decoder is told.
        target_out: ``y EOS``, what it must say.
        target_lengths: tokens of each target sentence, ``EOS`` counted.
        indices: numbers of the sentences in their corpus.
        target_tokens: sum of ``target_lengths``, known without asking the device.
        alignment: what each token of ``target_out`` should attend to, where that is learned from: rows of gold
            alignments sum to 1, all others are zero. None where it is not.
    """

    source: Int[Tensor, "batch source_len"]
    source_lengths: Int[Tensor, " batch"]
    target_in: Int[Tensor, "batch target_len"]
    target_out: Int[Tensor, "batch target_len"]
    target_lengths: Int[Tensor, " batch"]
    indices: Int[Tensor, " batch"]
    target_tokens: int
    alignment: Float[Tensor, "batch target_len source_len"] | None = None

    @property
    def size(self) -> int:
        """Number of sentence pairs."""
        return self.source.shape[0]

    @property
    def source_mask(self) -> Bool[Tensor, "batch source_len"]:
        """True where the source has a token."""
        return mask(self.source_lengths, self.source.shape[1])

    @property
    def target_mask(self) -> Bool[Tensor, "batch target_len"]:
        """True where the target has a token."""
        return mask(self.target_lengths, self.target_out.shape[1])

    def to(self, device: torch.device | str, *, non_blocking: bool = True) -> Batch:
        """Move to ``device``; copies from pinned memory run beside the computation."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Copy into memory from which a CUDA device can read on its own."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return Batch(**values | changed)


def collate(
    sources: Sequence[Ids],
    targets: Sequence[Ids],
    indices: Sequence[int] | NDArray[np.int64],
    *,
    alignment: NDArray[np.float32] | None = None,
) -> Batch:
    """Put sentence pairs (token ids without special symbols) into one batch.

    Args:
        sources: token ids of each source sentence.
        targets: token ids of each target sentence, in the same order.
        indices: the numbers of the sentences in their corpus.
        alignment: see :class:`Batch`.
    """
    source, source_lengths = collate_source(sources)
    target_in = padded(targets, before=(BOS,))
    target_out = padded(targets, after=(EOS,))
    target_lengths = lengths_of(targets)
    return Batch(
        source=source,
        source_lengths=source_lengths,
        target_in=torch.from_numpy(target_in),
        target_out=torch.from_numpy(target_out),
        target_lengths=torch.from_numpy(target_lengths),
        indices=torch.from_numpy(np.array(indices, dtype=np.int64)),
        target_tokens=int(target_lengths.sum()),
        alignment=None if alignment is None else torch.from_numpy(alignment),
    )


def collate_source(
    sources: Sequence[Ids],
) -> tuple[Int[Tensor, "batch source_len"], Int[Tensor, " batch"]]:
    """Put source sentences (token ids without special symbols) side by side: padded ids and lengths."""
    source, lengths = padded_sources(sources)
    return torch.from_numpy(source), torch.from_numpy(lengths)


def mask(lengths: Int[Tensor, " batch"], size: int) -> Bool[Tensor, "batch size"]:
    """Mark with True where there is a token."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)
