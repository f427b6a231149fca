"""The same work on many items by several processes, in order, with few items on their way at a time.

The processes are started as programs of their own: nothing is forked, and nothing asks the user's script
to be importable, as ``multiprocessing`` does. When the process that asks dies, they find their input closed and end.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar, cast

from seq2seq_attn.errors import TrainingError

Item = TypeVar("Item")
Result = TypeVar("Result")

_FEW = 4  # items that are not worth starting a process for
_AHEAD = 2  # items on their way for each process


def available_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(task: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Give ``task(item)`` for each item, in the order of the items.

    Args:
        task: a module's function or object, that does not depend on anything but its item.
        items: taken as the work gets on: no more than a few are held.
        workers: processes; with one, or with few items, the work is done in this process.

    Raises:
        TrainingError: if a process ends before its work is done.
    """
    iterator = iter(items)
    head = list(islice(iterator, _FEW)) if workers > 1 else []
    if len(head) < _FEW:
        yield from map(task, chain(head, iterator))
        return
    pending: deque[Future[Result]] = deque()
    with _Processes(task, workers) as processes:
        for item in chain(head, iterator):
            pending.append(processes.submit(item))
            if len(pending) >= workers * _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


_FIND = "import sys; sys.path = [*filter(None, sys.path), sys.argv.pop(1)]"
"""Finds this package behind all that Python has of its own, and nothing in the folder that it was started in."""


def program(code: str) -> list[str]:
    """Return the command that executes a piece of Python, which can import this package; arguments may follow."""
    return [sys.executable, "-c", f"{_FIND}; {code}", str(Path(__file__).resolve().parents[2])]


class _Processes:
    """Processes that have the task, each with a thread of this process that talks to it."""

    def __init__(self, task: Callable[[Any], Any], count: int) -> None:
        self._all = [
            subprocess.Popen(
                program(f"from {__name__} import work; work()"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(count)
        ]
        self._free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        pickled = pickle.dumps(task)
        for process in self._all:
            _send(process, pickled)
            self._free.put(process)
        self._threads = ThreadPoolExecutor(count, "worker")

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in self._all:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._all:
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    cast("Any", stream).close()
            process.wait()

    def submit(self, item: Any) -> Future[Any]:
        return self._threads.submit(self._ask, item)

    def _ask(self, item: Any) -> Any:
        process = self._free.get()
        try:
            _send(process, pickle.dumps(item))
            is_done, result = pickle.load(cast("Any", process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"a process that helped to prepare the corpus ended with status {process.wait()} before its work was "
                "done; if memory ran out, set data.workers to a smaller number. Start again: what is done is kept"
            ) from error
        finally:
            self._free.put(process)
        if not is_done:
            raise result
        return result


def _send(process: subprocess.Popen[bytes], pickled: bytes) -> None:
    stream = cast("Any", process.stdin)
    try:
        stream.write(pickled)
        stream.flush()
    except BrokenPipeError:  # found, with its reason, when the answer is read
        return


def work() -> None:
    """Do what comes in through standard input, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed must not come between
    task = pickle.load(sys.stdin.buffer)
    while True:
        try:
            item = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, task(item))
        except Exception as error:
            answer = (False, error)
        try:
            output.write(pickle.dumps(answer))
            output.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody waits for it any more
