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

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch: for each the numbers of its sentences."""
        generator = np.random.default_rng([self._seed, number])
        order = self._by_length(generator)
        batches = np.split(order, self._cuts(self._target[order]))
        return [batches[position] for position in generator.permutation(len(batches))] if len(order) else []

    def _by_length(self, generator: np.random.Generator) -> Lengths:
        source = self._source + generator.uniform(-_JITTER, _JITTER, len(self._source))
        # Up with the source lengths in one target length and down in the next: a batch that
        # spans two target lengths still has sources of one length.
        source = np.where(self._target % 2 == 0, source, -source)
        return np.lexsort((source, self._target))

    def _cuts(self, target: Lengths) -> list[int]:
        if self._sentences is not None:
            return list(range(self._sentences, len(target), self._sentences))
        cuts: list[int] = []
        start = 0
        lengths = target.tolist()
        for position, length in enumerate(lengths):
            # sorted by target length, so the newest sentence is the longest
            if position > start and (position - start + 1) * length > (self._tokens or 0):
                cuts.append(position)
                start = position
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
