"""Dynamic batching: what comes within a few milliseconds is translated together, by one thread for each model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from seq2seq_attn.errors import Seq2SeqError
from seq2seq_attn.serving.limits import Limits
from seq2seq_attn.serving.models import ServedModel
from seq2seq_attn.serving.queues import Batch, FairQueue
from seq2seq_attn.serving.refusals import Refusal, busy, stopping
from seq2seq_attn.serving.watching import Abandoned
from seq2seq_attn.serving.work import Ask, Job, Piece

BETWEEN_TIDYING = 2.0  # seconds
SHARE = 0.7  # of the time limit that a sentence may wait, before it is translated

log = logging.getLogger(__name__)


class Done(NamedTuple):
    """A batch that was searched."""

    model: str
    sentences: int
    seconds: float


class Batcher:
    """The queue of one model and the one thread that enters it.

    The event loop owns the queue. A batch is handed to the thread and awaited before the next one is put together,
    so the model is never entered twice at once, and what comes meanwhile becomes the next batch.

    Args:
        model: what translates.
        limits: how many wait, how many are translated at once, and how long the first waits for others.
        report: is told of every batch.
    """

    def __init__(self, model: ServedModel, limits: Limits, report: Callable[[Done], None]) -> None:
        self.model = model
        self.limits = limits
        self.queue = FairQueue(limits.queue, SHARE * limits.seconds)
        self._report = report
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"translate-{model.name}")
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to work; there must be a running event loop."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Take nothing more, finish what was accepted, end the thread."""
        self._closed = True
        self._changed.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    def submit(self, job: Job) -> None:
        """Accept a request.

        Raises:
            Refusal: if too many sentences wait, or the server is stopping.
        """
        if self._closed:
            raise stopping()
        if not self.queue.add(job):
            raise self.is_busy()
        self._changed.set()

    def is_busy(self) -> Refusal:
        """Return what is said to those for whom there is no room."""
        return busy(self.queue.waiting, self.queue.seconds_until_room())

    def abandon(self, job: Job) -> None:
        """Forget a request that nobody waits for."""
        job.gone = True
        self.queue.remove(job)

    async def _work(self) -> None:
        tidied = time.monotonic()
        while True:
            await self._gather()
            batch = self.queue.take(self.limits.batch_sentences)
            if batch is None:
                if self._closed:
                    return
                continue
            await self._translate(batch)
            if time.monotonic() - tidied >= BETWEEN_TIDYING:
                await self._in_thread(self.model.tidy)
                tidied = time.monotonic()

    async def _gather(self) -> None:
        """Wait until there is something to do, and has waited for company, or is enough for a whole batch."""
        while not self._closed:
            arrival = self.queue.next_arrival()
            left = None
            if arrival is not None:
                left = arrival + self.limits.batch_milliseconds / 1000 - time.monotonic()
                if left <= 0 or self.queue.waiting >= self.limits.batch_sentences:
                    return
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    async def _translate(self, batch: Batch) -> None:
        begin = time.monotonic()
        results = await self._in_thread(lambda: self._results(batch))
        for (job, number), result in zip(batch.pieces, results, strict=True):
            job.settle(number, result)
        done = sum(not isinstance(result, Exception) for result in results)
        if done == len(results):  # a batch that was given up says nothing of how long others take
            self.queue.learn_speed(done, begin)
        if done:
            self._report(Done(self.model.name, done, time.monotonic() - begin))

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # What follows is run by the thread.

    def _results(self, batch: Batch) -> list[Any]:
        """Return for each sentence what is sent of it, or an exception: of those that nobody waits for, too."""
        wanted = [piece for piece in batch.pieces if not piece.job.gone]
        found: dict[Piece, Any] = {}
        for together in _attempts(wanted):
            missing = [piece for piece in together if piece not in found]
            if missing:
                found |= self._attempt(batch.ask, missing, last=len({piece.job for piece in missing}) == 1)
        return [found.get(piece, Abandoned()) for piece in batch.pieces]

    def _attempt(self, ask: Ask, pieces: list[Piece], *, last: bool) -> dict[Piece, Any]:
        """Search; if that fails for several requests, return nothing: one of them may have spoiled it for all."""
        try:
            several = self.model.search(ask, pieces)
        except Abandoned as error:
            return dict.fromkeys(pieces, error)
        except Exception as error:
            return dict.fromkeys(pieces, _expected(error)) if last else {}
        return {piece: self._render(piece, found) for piece, found in zip(pieces, several, strict=True)}

    def _render(self, piece: Piece, found: Any) -> Any:
        try:
            return self.model.render(piece, found)
        except Abandoned as error:
            return error
        except Exception as error:
            return _expected(error)


def _attempts(wanted: list[Piece]) -> Iterator[list[Piece]]:
    """Give all sentences together, then those of each request: for when something is wrong with one of them."""
    yield wanted
    by_job: dict[int, list[Piece]] = {}
    for piece in wanted:
        by_job.setdefault(id(piece.job), []).append(piece)
    yield from by_job.values()


def _expected(error: Exception) -> Exception:
    """Return the error; one that nobody foresaw is written down first."""
    if not isinstance(error, Seq2SeqError):
        log.error("an unexpected error while translating", exc_info=error)
    return error
