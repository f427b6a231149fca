"""Run the command line in processes of its own, many a second: torch is imported once, then each command is a fork.

Run as a program it is the server: a request per line on standard input, answers on standard output.
``Commands`` is the client. A command can be told to be struck at a chosen point:

    signal_at      (number of a look at whether to stop, signal): comes right before that look
    kill_at        number of a change in the folder of checkpoints: SIGKILL right before it is made
    kill_after     seconds: SIGKILL wherever the process is then
    no_room_at     number of a look: from then on no file may grow beyond 4 KB, as on a disk that is full

With ``call`` a function (``module:name``, of a file beside this one) takes the place of the command line. With
``processes`` a command runs in so many at once, which know of each other as ``torchrun`` would tell them; ``struck``
is the number of the one that is struck.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRELOADED = (
    "sacrebleu",
    "sentencepiece",
    "seq2seq_attn.experiment.stream",
    "seq2seq_attn.experiment.train",
    "torch._dynamo",  # which the first optimizer loads
    "torch.distributed",
    "torchtext.vocab",
)

HERE = Path(__file__)
STRIKES = {"signal_at", "kill_at", "no_room_at"}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "shutil.rmtree", "open"}


@dataclass(frozen=True)
class Done:
    """How a command ended; ``status`` is negative after a signal."""

    status: int
    out: str
    err: str
    statuses: tuple[int, ...] = ()  # of each process, where there are several


class Commands:
    """The client; one command at a time."""

    def __init__(self, scratch: Path) -> None:
        self._out, self._err = scratch / "stdout", scratch / "stderr"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, str(HERE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __call__(self, *arguments: object, **strike: Any) -> Done:
        """Run a command to its end; ``stdin`` is a file for it to read, ``folder`` where it works."""
        request = {"arguments": [str(argument) for argument in arguments], **strike}
        request |= {"out": str(self._out), "err": str(self._err)}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        statuses = tuple(json.loads(self._server.stdout.readline()))
        out, err = self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")
        return Done(statuses[0], out, err, statuses)

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()


@functools.cache
def shared_commands() -> Commands:
    """Return the one server that all tests share."""
    scratch = tempfile.TemporaryDirectory(prefix="commands-")
    commands = Commands(Path(scratch.name))
    atexit.register(scratch.cleanup)
    atexit.register(commands.close)
    return commands


def _at_look(number: int, strike: Callable[[], object]) -> None:
    from seq2seq_attn.training.interrupts import Interrupts

    check, looks = Interrupts.check, 0

    def counting_check(self: Interrupts) -> None:
        nonlocal looks
        looks += 1
        if looks == number:
            strike()
        check(self)

    Interrupts.check = counting_check  # type: ignore[method-assign]


def _kill_at_change(number: int) -> None:
    changes = 0

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal changes
        if event not in CHANGES or not any("checkpoints" in str(part) for part in details):
            return
        if event == "open" and not (isinstance(details[1], str) and "w" in details[1]):
            return
        changes += 1
        if changes == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _run(request: dict[str, Any]) -> None:
    from seq2seq_attn.cli import main

    if "folder" in request:
        os.chdir(request["folder"])
    os.dup2(os.open(request.get("stdin", os.devnull), os.O_RDONLY), 0)
    for path, descriptor in ((request["out"], 1), (request["err"], 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), descriptor)
    if "signal_at" in request:
        look, number = request["signal_at"]
        _at_look(look, lambda: os.kill(os.getpid(), number))
    if "kill_at" in request:
        _kill_at_change(request["kill_at"])
    if "no_room_at" in request:
        _at_look(request["no_room_at"], lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    status: object = 0
    try:
        if "call" in request:
            module, _, name = request["call"].partition(":")
            getattr(importlib.import_module(module), name)(*request["arguments"])
        else:
            main(request["arguments"])
    except SystemExit as end:
        status = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


def _start(request: dict[str, Any]) -> list[int]:
    """Fork the processes of a command; return their numbers."""
    for path in (request["out"], request["err"]):
        Path(path).write_bytes(b"")
    size = request.get("processes", 1)
    environment = {}
    if size > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    children = []
    for number in range(size):
        child = os.fork()
        if child == 0:
            if size > 1:
                environment |= {"RANK": number, "LOCAL_RANK": number}
            os.environ.update({name: str(value) for name, value in environment.items()})
            spared = number != request.get("struck", number)
            _run({name: value for name, value in request.items() if not (spared and name in STRIKES)})
        children.append(child)
    return children


def _wait(child: int, kill_after: float | None) -> int:
    """Wait for a process to end by itself, or end it after so many seconds; return its status."""
    if kill_after is None:
        return os.waitpid(child, 0)[1]
    end = time.monotonic() + kill_after
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _serve() -> None:
    for module in PRELOADED:
        importlib.import_module(module)

    for line in sys.stdin:
        request = json.loads(line)
        ended = [_wait(child, request.get("kill_after")) for child in _start(request)]
        print(json.dumps([os.waitstatus_to_exitcode(status) for status in ended]), flush=True)


if __name__ == "__main__":
    _serve()
