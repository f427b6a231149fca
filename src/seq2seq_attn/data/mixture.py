"""Which sentence pairs an epoch sees, pool by pool: a pure function of seed and epoch, of any corpus size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.encoded import EncodedCorpus, Part
from seq2seq_attn.data.sampler import BatchSampler, count_batches

Rows = NDArray[np.int64]

POOL_PAIRS = 2**19
"""Sentence pairs that are sorted into batches together, give or take a block. Smaller corpora are one pool."""

BLOCK_PAIRS = 4096
"""Neighbors in the files that come into the same pool, so that a pool reads a few long stretches of them."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_SHUFFLE, _DRAW = 2**32 - 1, 2**32 - 2  # tell the uses of random numbers apart


@dataclass(frozen=True)
class _Block:
    """Neighboring pairs of one part: from ``begin`` to before ``end``."""

    number: int
    begin: int
    end: int
    weight: float

    def drawn(self, epoch: int) -> tuple[int, int]:
        """Return from where to where an epoch goes in the endless stream of rounds through the block.

        The blocks' beginnings are spread evenly, so that a small weight does not give all of them a pair at once.
        """
        pairs, phase = self.end - self.begin, self.number * _GOLDEN % 1
        start, stop = (math.floor(times * self.weight * pairs + phase) for times in (epoch, epoch + 1))
        return start, stop

    def rows(self, epoch: int, seed: int) -> Rows:
        """Return the pairs that an epoch sees.

        Each round through the block brings every pair once, in an order of its own. So with a weight of
        0.5 two epochs see different halves, and with 1.5 every pair three times in two epochs.
        """
        start, stop = self.drawn(epoch)
        pairs = self.end - self.begin
        pieces = [np.arange(0)]
        while start < stop:
            number, first = divmod(start, pairs)
            last = min(pairs, first + stop - start)
            if last - first == pairs:
                pieces.append(np.arange(pairs))
            else:
                order = np.random.default_rng([seed, _DRAW, self.number, number]).permutation(pairs)
                pieces.append(order[first:last])
            start += last - first
        return np.concatenate(pieces) + self.begin


class Epoch:
    """The batches of one epoch, made a pool at a time.

    A corpus that is one pool is sorted and cut as a whole. Of a larger one, blocks of neighbors are shuffled and
    dealt to pools of equal size; each pool is sorted, cut and shuffled alone.

    Args:
        corpus: the sentence pairs, with their parts.
        number: of the epoch.
        batch_tokens: see :class:`~seq2seq_attn.data.sampler.BatchSampler`.
        batch_sentences: see :class:`~seq2seq_attn.data.sampler.BatchSampler`.
        seed: of everything drawn.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        number: int,
        *,
        batch_tokens: int | None = None,
        batch_sentences: int | None = None,
        seed: int,
    ) -> None:
        self.corpus = corpus
        self._number = number
        self._limits = {"batch_tokens": batch_tokens, "batch_sentences": batch_sentences}
        self._seed = seed
        self._pools = self._deal(_blocks(corpus.parts))
        counts = [self._count(pool) for pool in self._pools]
        if len(self._pools) > 1:
            corpus.release()
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))

    def __len__(self) -> int:
        """Batches of the epoch."""
        return int(self._starts[-1])

    @property
    def pools(self) -> int:
        """Pools of the epoch."""
        return len(self._pools)

    def place(self, batch: int) -> tuple[int, int]:
        """Return the pool of a batch and its number in there."""
        pool = int(np.searchsorted(self._starts[1:], batch, side="right"))
        return pool, batch - int(self._starts[pool])

    def batches(self, pool: int) -> list[Rows]:
        """Return the batches of a pool: for each the numbers of its sentences."""
        rows = self._rows(self._pools[pool])
        sampler = BatchSampler(
            self.corpus.source_lengths_of(rows), self.corpus.target_lengths_of(rows), **self._limits, seed=self._seed
        )
        return [rows[batch] for batch in sampler.epoch(self._number, None if len(self._pools) == 1 else pool)]

    def _deal(self, blocks: Sequence[_Block]) -> list[Sequence[_Block]]:
        drawn = [stop - start for start, stop in (block.drawn(self._number) for block in blocks)]
        pools = -(-sum(drawn) // POOL_PAIRS)
        if pools <= 1:
            return [blocks]
        order = np.random.default_rng([self._seed, self._number, _SHUFFLE]).permutation(len(blocks))
        behind = np.cumsum(np.array(drawn)[order])
        cuts = [0, *np.searchsorted(behind, behind[-1] * np.arange(1, pools) / pools).tolist(), len(blocks)]
        return [[blocks[number] for number in order[begin:end]] for begin, end in pairwise(cuts)]

    def _rows(self, pool: Sequence[_Block]) -> Rows:
        return np.concatenate([np.arange(0), *(block.rows(self._number, self._seed) for block in pool)])

    def _count(self, pool: Sequence[_Block]) -> int:
        counts = np.bincount(self.corpus.target_lengths_of(self._rows(pool)))
        return count_batches(counts, **self._limits)


def _blocks(parts: Sequence[Part]) -> list[_Block]:
    blocks: list[_Block] = []
    begin = 0
    for part in parts:
        behind = begin + part.pairs
        for first in range(begin, behind, BLOCK_PAIRS):
            blocks.append(_Block(len(blocks), first, min(behind, first + BLOCK_PAIRS), part.weight))
        begin = behind
    return blocks
