"""Batches of an epoch, a few of them made ahead by a thread while the model computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.mixture import Epoch, Rows
from seq2seq_attn.errors import ConfigError


class BatchLoader:
    """Batches of a corpus, in an order that depends on seed and epoch alone.

    Args:
        corpus: the sentence pairs, or what gives those of an epoch (``PreparedData.train_epoch``).
        batch_tokens: see :class:`~seq2seq_attn.data.sampler.BatchSampler`.
        batch_sentences: see :class:`~seq2seq_attn.data.sampler.BatchSampler`.
        seed: of the order.
        ahead: batches that are made before they are asked for.
        with_alignment: give batches their gold alignments; the corpus must have them.
        pin_memory: put batches where a CUDA device can read them on its own.
    """

    def __init__(
        self,
        corpus: EncodedCorpus | Callable[[int], EncodedCorpus],
        *,
        batch_tokens: int | None = None,
        batch_sentences: int | None = None,
        seed: int,
        ahead: int = 4,
        with_alignment: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self._corpus_of = (lambda _: corpus) if isinstance(corpus, EncodedCorpus) else corpus
        self._batch_tokens = batch_tokens
        self._batch_sentences = batch_sentences
        self._seed = seed
        self._ahead = ahead
        self._with_alignment = with_alignment
        self._pin_memory = pin_memory
        self._lock = threading.Lock()
        self._newest: tuple[int, Epoch] | None = None

    def batches_per_epoch(self, epoch: int) -> int:
        """Count the batches of an epoch."""
        return len(self._plan(epoch))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Give the batches of an epoch, from batch number ``start`` on."""
        return _run_ahead(self._batches(epoch, start), self._ahead)

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        plan = self._plan(epoch)
        for numbers in _planned_ahead(plan, start):
            yield self._collate(plan.corpus, numbers.tolist())

    def _collate(self, corpus: EncodedCorpus, rows: list[int]) -> Batch:
        batch = collate(
            [corpus.source(row) for row in rows],
            [corpus.target(row) for row in rows],
            rows,
            alignment=corpus.links.matrices(rows) if self._with_alignment and corpus.links else None,
        )
        return batch.pin_memory() if self._pin_memory else batch

    def _plan(self, epoch: int) -> Epoch:
        with self._lock:
            if self._newest is None or self._newest[0] != epoch:
                plan = Epoch(
                    self._corpus_of(epoch),
                    epoch,
                    batch_tokens=self._batch_tokens,
                    batch_sentences=self._batch_sentences,
                    seed=self._seed,
                )
                if len(plan.corpus) and not len(plan):
                    raise ConfigError(
                        f"data.train: epoch {epoch + 1} would see none of the {len(plan.corpus):,} sentence pairs, "
                        "because the weights are too small; raise data.train.weight"
                    )
                self._newest = (epoch, plan)
            return self._newest[1]


def _planned_ahead(plan: Epoch, start: int) -> Iterator[Rows]:
    """Give the sentence numbers of each batch; while those of one pool are used, a thread plans the next pool."""
    pool, skipped = plan.place(start)
    if pool >= plan.pools:
        return
    with ThreadPoolExecutor(1, "plan") as executor:
        batches = plan.batches(pool)
        while True:
            upcoming = executor.submit(plan.batches, pool + 1) if pool + 1 < plan.pools else None
            yield from batches[skipped:]
            if upcoming is None:
                return
            plan.corpus.release()  # an epoch reads no pool twice
            batches, pool, skipped = upcoming.result(), pool + 1, 0


def _run_ahead(batches: Iterator[Batch], ahead: int) -> Iterator[Batch]:
    """Give what ``batches`` gives; a thread takes up to ``ahead`` of them before they are asked for."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=max(1, ahead))
    stopped = threading.Event()

    def hand_over(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                hand_over(batch)
                if stopped.is_set():
                    return
            hand_over(None)
        except BaseException as error:  # it is raised again where the batches are used
            hand_over(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
