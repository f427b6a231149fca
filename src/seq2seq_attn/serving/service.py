"""All that is alive while the server runs: models, their queues, limits, numbers."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request

from seq2seq_attn.errors import Seq2SeqError, UserError
from seq2seq_attn.serving.batcher import Batcher, Done
from seq2seq_attn.serving.limits import Limits
from seq2seq_attn.serving.metrics import SECONDS, SIZES, Counter, Gauge, Histogram, Metric, Values, expose
from seq2seq_attn.serving.models import ServedModel, choose_model
from seq2seq_attn.serving.refusals import Refusal, too_late, unexpected
from seq2seq_attn.serving.work import Job

STATUS = Path("/proc/self/status")


class ClientGoneError(Exception):
    """Whoever asked has closed the connection."""


class Service:
    """The models with a queue each.

    Args:
        models: by name; the first one answers who does not say which.
        limits: how much may be asked for.
    """

    def __init__(self, models: Mapping[str, ServedModel], limits: Limits) -> None:
        self.models = dict(models)
        self.limits = limits
        self.stopping = False
        self.batchers: dict[str, Batcher] = {}
        self.requests = Counter(
            "seq2seq_attn_requests_total", "Requests that were answered.", ("path", "method", "status")
        )
        self.latency = Histogram(
            "seq2seq_attn_request_seconds", "From a request to the end of its answer.", ("path",), bounds=SECONDS
        )
        self._refused = Counter("seq2seq_attn_refused_total", "Requests that were refused.", ("code",))
        self._gone = Counter("seq2seq_attn_gone_total", "Requests whose client went away before the answer.")
        self._sentences = Counter("seq2seq_attn_sentences_total", "Sentences that a model has read.", ("model",))
        self._sizes = Histogram(
            "seq2seq_attn_batch_sentences", "Sentences that were searched together.", ("model",), bounds=SIZES
        )
        self._seconds = Histogram(
            "seq2seq_attn_batch_seconds", "How long a batch took to search.", ("model",), bounds=SECONDS
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block lasts; at its end finish what was accepted."""
        self.batchers = {name: Batcher(model, self.limits, self._report) for name, model in self.models.items()}
        for batcher in self.batchers.values():
            batcher.start()
        try:
            yield
        finally:
            self.stopping = True
            await asyncio.gather(*(batcher.close() for batcher in self.batchers.values()))

    def choose(self, name: str | None) -> ServedModel:
        """Return the model that a request names; see :func:`choose_model`."""
        return choose_model(self.models, name)

    def check_room(self) -> None:
        """Refuse at once what none of the models has room for, before any time is spent on reading it.

        Raises:
            Refusal: 429, of the queue that is done first.
        """
        batchers = self.batchers.values()
        if batchers and not any(batcher.queue.has_room() for batcher in batchers):
            raise min(batchers, key=lambda batcher: batcher.queue.seconds_until_room()).is_busy()

    def submit(self, model: ServedModel, job: Job) -> Batcher:
        """Put a request into the queue of a model.

        Raises:
            Refusal: if it does not fit.
        """
        batcher = self.batchers[model.name]
        batcher.submit(job)
        return batcher

    async def answer(self, request: Request, model: ServedModel, job: Job) -> list[Any]:
        """Put a request into the queue; return the results of its sentences.

        Raises:
            Refusal: if there is no room, it takes too long, or it cannot be done as asked.
            ClientGoneError: if the client went away; what still waits of it is not translated.
        """
        batcher = self.submit(model, job)
        left = asyncio.ensure_future(_disconnected(request))
        either: tuple[asyncio.Future[Any], ...] = (job.finished, left)
        try:
            await asyncio.wait(either, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
            if job.finished.done():
                return results_of(job)
            if left.done():
                raise ClientGoneError
            raise too_late(self.limits.seconds)
        finally:
            left.cancel()
            if not job.finished.done():
                batcher.abandon(job)

    def refused(self, refusal: Refusal) -> None:
        """Count a request that is refused."""
        self._refused.add(refusal.code)

    def client_gone(self) -> None:
        """Count a request that nobody waits for."""
        self._gone.add()

    def expose(self) -> str:
        """Return what ``GET /metrics`` answers."""
        metrics: list[Metric] = [
            self.requests,
            self.latency,
            self._refused,
            self._gone,
            self._sentences,
            self._sizes,
            self._seconds,
            Gauge("seq2seq_attn_waiting_sentences", "Sentences that wait.", ("model",), look=self._waiting),
            *process_metrics(),
        ]
        return expose(metrics)

    def _waiting(self) -> dict[Values, float]:
        return {(name,): float(batcher.queue.waiting) for name, batcher in self.batchers.items()}

    def _report(self, done: Done) -> None:
        self._sentences.add(done.model, amount=done.sentences)
        self._sizes.add(done.sentences, done.model)
        self._seconds.add(done.seconds, done.model)


def results_of(job: Job) -> list[Any]:
    """Return the results of a finished request.

    Raises:
        Refusal: if it cannot be done as asked.
    """
    error = job.finished.exception()
    if isinstance(error, UserError):
        raise Refusal(422, "impossible", str(error), "change the request") from error
    if isinstance(error, Seq2SeqError):
        raise Refusal(500, "failed", str(error), "use another model") from error
    if error is not None:
        raise unexpected() from error  # it was written down where it happened
    return job.finished.result()


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection; its request must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def process_metrics() -> list[Metric]:
    """Return what Prometheus expects of every process, where the system tells."""
    found: list[Metric] = []
    if sys.platform.startswith("linux"):
        help_text = "Resident memory size in bytes."
        found.append(Gauge("process_resident_memory_bytes", help_text, look=lambda: {(): float(resident_bytes())}))
    found.append(Gauge("process_cpu_seconds_total", "User and system time.", look=lambda: {(): time.process_time()}))
    return found


def resident_bytes() -> int:
    """Return how much memory this process has now; Linux only."""
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
