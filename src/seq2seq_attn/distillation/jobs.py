"""Several commands of this package at a time, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from seq2seq_attn.data.workers import program
from seq2seq_attn.errors import Seq2SeqError

OWN = "seq2seq-attn: "
"""What an error of this package begins with, on the command line."""

GO_ON = "what is done is kept, and the same command goes on from there"

LOOK_EVERY = 0.2  # seconds


class JobFailed(Seq2SeqError):  # noqa: N818 - what happened, not an error of ours
    """A process that was started ended badly.

    Attributes:
        exit_status: as it ended.
    """

    def __init__(self, name: str, status: int, error: str) -> None:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"{name} {how}{f': {error}' if error else ''}; {GO_ON}")
        self.exit_status = status if status > 0 else 128 - status


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
        name: what stands before each of its lines.
        arguments: of ``seq2seq-attn``.
    """

    name: str
    arguments: tuple[str, ...]


def run_jobs(
    jobs: Iterable[Job],
    *,
    at_once: int,
    threads: int,
    report: Callable[[str], None],
    done: Callable[[Job], None] = lambda job: None,
) -> None:
    """Run commands, some at a time, until all have ended; when one fails the others are asked to save and stop.

    Args:
        jobs: the commands, in the order of their beginning.
        at_once: how many.
        threads: of each, for a configuration that does not say.
        report: is told each line that they tell.
        done: is told each that has ended well.

    Raises:
        JobFailed: if one ends with another status than 0.
    """
    waiting, running = deque(jobs), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_Running(waiting.popleft(), threads, report))
            time.sleep(LOOK_EVERY)
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                one.finish()
                done(one.job)
    except (KeyboardInterrupt, SystemExit):
        report(f"stopping; {GO_ON}")
        raise
    finally:
        for one in running:
            with suppress(ProcessLookupError):
                one.process.terminate()
        for one in running:
            one.process.wait()
            one.reader.join()


class _Running:
    """A process, and the thread that reads what it tells."""

    def __init__(self, job: Job, threads: int, report: Callable[[str], None]) -> None:
        self.job = job
        self._error = ""
        self.process = subprocess.Popen(
            [*program("from seq2seq_attn.cli import main; main()"), *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        assert self.process.stderr is not None
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr, report), daemon=True)
        self.reader.start()

    def finish(self) -> None:
        """Take in the end of the process, which has ended."""
        self.reader.join()
        if self.process.returncode:
            raise JobFailed(self.job.name, self.process.returncode, self._error)

    def _read(self, stream: IO[bytes], report: Callable[[str], None]) -> None:
        for line in stream:
            text = line.decode(errors="replace").rstrip()
            if text.startswith(OWN):
                self._error = text.removeprefix(OWN)  # it is told by the error that comes of it
            elif text:
                report(f"{self.job.name}: {text}")
