"""Which sentences go into which batch, in which order: a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.int64]

_JITTER = 1.0  # source tokens; costs one to two of every hundred positions


class BatchSampler:
    """Batches of sentences of like length, so that little of what is computed is padding.

    Sentences are sorted by target length, then by source length give or take a token, so that each epoch
    brings other sentences together; cut into batches; and the batches are shuffled. Every sentence
    is in one batch of each epoch.

    Args:
        source_lengths: tokens of each source sentence, ``EOS`` not counted.
        target_lengths: tokens of each target sentence, ``EOS`` not counted.
        batch_tokens: a batch has at most so many target positions, ``EOS`` and padding counted;
            a sentence that is longer is a batch alone.
        batch_sentences: a batch has so many sentences, the last one may have fewer.
            Exactly one of the two limits is given.
        seed: of the order.
    """

    def __init__(
        self,
        source_lengths: Sequence[int] | NDArray[np.integer],
        target_lengths: Sequence[int] | NDArray[np.integer],
        *,
        batch_tokens: int | None = None,
        batch_sentences: int | None = None,
        seed: int,
    ) -> None:
        if (batch_tokens is None) == (batch_sentences is None):
            raise ValueError("give one of batch_tokens and batch_sentences")
        self._source = np.asarray(source_lengths, dtype=np.int64) + 1
        self._target = np.asarray(target_lengths, dtype=np.int64) + 1
        if self._source.shape != self._target.shape:
            raise ValueError(f"{len(self._source)} source lengths, but {len(self._target)} target lengths")
        self._tokens = batch_tokens
        self._sentences = batch_sentences
        self._seed = seed

    def epoch(self, number: int, pool: int | None = None) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch: for each the numbers of its sentences.

        Args:
            number: of the epoch.
            pool: its number, where these sentences are one of several pools of the epoch.
        """
        generator = np.random.default_rng([self._seed, number] if pool is None else [self._seed, number, pool])
        order = self._by_length(generator)
        batches = np.split(order, self._cuts())
        return [batches[position] for position in generator.permutation(len(batches))] if len(order) else []

    def _by_length(self, generator: np.random.Generator) -> Lengths:
        source = self._source + generator.uniform(-_JITTER, _JITTER, len(self._source))
        # Up with the source lengths in one target length and down in the next: a batch that
        # spans two target lengths still has sources of one length.
        source = np.where(self._target % 2 == 0, source, -source)
        return np.lexsort((source, self._target))

    def _cuts(self) -> Lengths:
        if self._sentences is not None:
            return np.arange(self._sentences, len(self._target), self._sentences)
        return np.concatenate([np.arange(*cuts) for cuts in _cuts(np.bincount(self._target), self._tokens or 0)])


def count_batches(
    target_counts: NDArray[np.integer], *, batch_tokens: int | None = None, batch_sentences: int | None = None
) -> int:
    """Count the batches that a :class:`BatchSampler` makes, without making them.

    Args:
        target_counts: how many target sentences there are of 0 tokens, of 1, and so on, ``EOS`` not counted.
        batch_tokens: see :class:`BatchSampler`.
        batch_sentences: see :class:`BatchSampler`.
    """
    sentences = int(target_counts.sum())
    if not sentences:
        return 0
    if batch_sentences is not None:
        return -(-sentences // batch_sentences)
    with_end = np.concatenate(([0], target_counts))
    return 1 + sum(len(range(*cuts)) for cuts in _cuts(with_end, batch_tokens or 0))


def _cuts(counts: NDArray[np.integer], tokens: int) -> list[tuple[int, int, int]]:
    """Say where sentences that are sorted by length are cut into batches of at most ``tokens`` positions.

    Sorted, the newest sentence of a batch is its longest. So among sentences of one length, all batches but the
    first end after equally many.

    Args:
        counts: how many sentences there are of each length, from 0 on.
        tokens: positions a batch may have.

    Returns:
        For each length the positions of the cuts, as a range.
    """
    cuts = [(0, 0, 1)]
    start = before = 0
    for length in np.flatnonzero(counts).tolist():
        behind = before + int(counts[length])
        size = max(1, tokens // length)
        found = range(max(before, start + size), behind, size)
        if found:
            cuts.append((found.start, behind, size))
            start = found[-1]
        before = behind
    return cuts


def padding_share(
    batches: Sequence[NDArray[np.int64]],
    source_lengths: Sequence[int] | NDArray[np.integer],
    target_lengths: Sequence[int] | NDArray[np.integer],
) -> float:
    """Measure which share of all source and target positions of ``batches`` is padding.

    Args:
        batches: the sentence numbers of each batch.
        source_lengths: tokens of each source sentence, ``EOS`` not counted.
        target_lengths: tokens of each target sentence, ``EOS`` not counted.
    """
    positions = tokens = 0
    for lengths in (np.asarray(source_lengths) + 1, np.asarray(target_lengths) + 1):
        for batch in batches:
            positions += len(batch) * int(lengths[batch].max())
            tokens += int(lengths[batch].sum())
    return 1 - tokens / positions if positions else 0.0
