"""The order in which sentences that wait are translated: fair among requests, and among ways to search."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from typing import NamedTuple

from seq2seq_attn.serving.work import Ask, Job, Piece

SLOWEST, SOONEST, LATEST = 0.1, 1, 60  # sentences a second; seconds
MEMORY = 0.8  # of the speed: what the newest batch leaves of the older ones


class Batch(NamedTuple):
    """Sentences that are searched together."""

    ask: Ask
    pieces: list[Piece]


class FairQueue:
    """Requests with sentences that wait.

    Sentences that are asked for in the same way may share a batch. Ways to search take turns; within one, every
    request in turn gives a sentence, in the order in which they came. So a request with many sentences holds nobody
    up, and a steady stream of others does not hold it up either.

    Args:
        limit: sentences that may wait.
        seconds: that the last of them may wait, as far as can be guessed: longer, and its answer would be too late.
    """

    def __init__(self, limit: int, seconds: float = math.inf) -> None:
        self.limit = limit
        self.seconds = seconds
        self.waiting = 0
        self._jobs: OrderedDict[Ask, deque[Job]] = OrderedDict()
        self._speed = 0.0

    def has_room(self, sentences: int = 1) -> bool:
        """Tell whether there is room for so many more, and time."""
        waiting = self.waiting + sentences
        is_slow = self._speed and self.waiting and waiting / self._speed > self.seconds
        return waiting <= self.limit and not is_slow

    def add(self, job: Job) -> bool:
        """Put a request at the end, if there is room for all of its sentences."""
        if not self.has_room(len(job.waiting)):
            return False
        self._jobs.setdefault(job.ask, deque()).append(job)
        self.waiting += len(job.waiting)
        return True

    def remove(self, job: Job) -> None:
        """Take out what of a request still waits; nothing, if nothing does."""
        jobs = self._jobs.get(job.ask)
        if not job.waiting or jobs is None or job not in jobs:
            return
        jobs.remove(job)
        self.waiting -= len(job.waiting)
        job.waiting.clear()
        if not jobs:
            del self._jobs[job.ask]

    def next_arrival(self) -> float | None:
        """Return when the first of the requests whose turn it is came, in seconds of ``time.monotonic``."""
        jobs = next(iter(self._jobs.values()), None)
        return None if jobs is None else min(job.arrived for job in jobs)

    def take(self, size: int) -> Batch | None:
        """Take out the sentences that are next, ``size`` at most; None if nothing waits."""
        ask = next(iter(self._jobs), None)
        if ask is None:
            return None
        jobs = self._jobs[ask]
        pieces: list[Piece] = []
        while jobs and len(pieces) < size:
            job = jobs.popleft()
            pieces.append(Piece(job, job.waiting.popleft()))
            if job.waiting:
                jobs.append(job)
        self.waiting -= len(pieces)
        if jobs:
            self._jobs.move_to_end(ask)
        else:
            del self._jobs[ask]
        return Batch(ask, pieces)

    def learn_speed(self, sentences: int, begin: float) -> None:
        """Note how long a batch took that began at ``begin``, in seconds of ``time.monotonic``."""
        speed = sentences / max(time.monotonic() - begin, 1e-3)
        self._speed = MEMORY * self._speed + (1 - MEMORY) * speed if self._speed else speed

    def seconds_until_room(self) -> int:
        """Guess when half of what waits now will be done."""
        guess = self.waiting / 2 / max(self._speed, SLOWEST)
        return min(max(math.ceil(guess), SOONEST), LATEST)
