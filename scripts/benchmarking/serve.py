"""How a server bears load: many clients at once, one request at a time, and far more than it can do.

Of those that are too many, clients come back when the server has told them to (``overload``), or ask again at once,
whatever it says (``impatient``).

The server is a process of its own on this machine, and the clients are one more: both share its cores. Every client
sends its next request as soon as it has the answer to the last one. The clients write HTTP by hand, so that they cost
as little as possible of what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import torch
from tqdm import tqdm

from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import ConfigError, DataError
from seq2seq_attn.runtime import Precision

from .machine import describe_machine

ADDRESS = re.compile(r" at (http://\S+) ")
WARM_UP = 3  # seconds that are not counted
BACK_OFF = 0.05  # seconds that an impatient client waits that was refused: far less than it was told to
CALM = 2  # seconds between two loads
STATUS = "/proc/{}/status"


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        run: what is served.
        source: sentences, one per line.
        clients: at once.
        seconds: of each load.
        overload: how many times as many clients, for the last load.
        beam_size: None: as the run is configured.
        options: more of the command line of ``serve``.
    """

    run: str
    source: Path
    clients: int = 64
    seconds: float = 60.0
    overload: int = 10
    beam_size: int | None = None
    options: Sequence[str] = ()


@dataclass
class Load:
    """What came of one load."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)

    def describe(self) -> dict[str, object]:
        """Return it as JSON can hold it; times in milliseconds, memory in MiB."""
        ordered = sorted(self.latencies)
        found: dict[str, object] = {
            "answers": dict(sorted(self.statuses.items())),
            "sentences_per_second": len(ordered) / self.seconds,
            "milliseconds_p50": _percentile(ordered, 0.50),
            "milliseconds_p99": _percentile(ordered, 0.99),
        }
        if self.memory:
            half = len(self.memory) // 2
            found["memory_mib_first_half"] = max(self.memory[: half or 1]) / 2**20
            found["memory_mib_second_half"] = max(self.memory[half:]) / 2**20
        return found


def measure(plan: Plan) -> dict[str, object]:
    """Measure and return everything that a reader of the numbers must know.

    Raises:
        ConfigError: if a number is wrong, or the server does not start.
        DataError: if there is nothing to translate.
    """
    if plan.clients < 1 or plan.overload < 1 or plan.seconds <= 0:
        raise ConfigError("--clients, --overload and --seconds must be above 0")
    texts = _texts(plan)
    many = plan.clients * plan.overload
    phases = (("one at a time", 1), ("all clients", plan.clients), ("overload", many), ("impatient", many))
    found: dict[str, object] = {
        "machine": describe_machine(torch.device("cpu"), Precision(torch.float32, "as the run says")),
        "load_average_before": os.getloadavg()[0],
        "run": plan.run,
        "sentences": len(texts),
        "beam_size": plan.beam_size or "as configured",
        "seconds": plan.seconds,
        "clients": plan.clients,
        "overload_clients": plan.clients * plan.overload,
    }
    loads = {}
    with _server(plan) as (process, url), tqdm(total=len(phases), unit="load", disable=None, leave=False) as bar:
        for name, clients in phases:
            bar.set_description(name)
            patient = name != "impatient"
            loads[name] = asyncio.run(_load(plan, url, process.pid, clients, texts, patient=patient))
            bar.update()
            time.sleep(CALM)
        after = asyncio.run(_load(plan, url, process.pid, 1, texts, seconds=10.0))
        found["answers_after_overload"] = dict(after.statuses)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        found["exit_status"] = process.wait(60)
        found["seconds_to_stop"] = time.monotonic() - begin
    found |= {name.replace(" ", "_"): load.describe() for name, load in loads.items()}
    one, all_clients = (len(loads[name].latencies) for name in ("one at a time", "all clients"))
    found["ratio_to_one_at_a_time"] = all_clients / one if one else None
    found["load_average_after"] = os.getloadavg()[0]
    return found


def format_text(found: dict[str, object]) -> str:
    """Return the measurements for people: the same object, in lines."""
    return json.dumps(found, indent=2, ensure_ascii=False)


async def _load(
    plan: Plan,
    url: str,
    server: int,
    clients: int,
    texts: Sequence[str],
    seconds: float | None = None,
    *,
    patient: bool = True,
) -> Load:
    """Let clients ask for a while; return what they saw."""
    load = Load(plan.seconds if seconds is None else seconds)
    begin = time.monotonic() + (WARM_UP if seconds is None else 0)
    end = begin + load.seconds
    work = [_client(plan, url, number, texts, load, begin, end, patient) for number in range(clients)]
    await asyncio.gather(_watch_memory(server, load, begin, end), *work)
    return load


async def _client(
    plan: Plan, url: str, number: int, texts: Sequence[str], load: Load, begin: float, end: float, patient: bool
) -> None:
    place = number * 7919  # so that no two clients ask for the same at the same time
    address = urlsplit(url)
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError as error:
            load.statuses[type(error).__name__] += 1
            await asyncio.sleep(BACK_OFF)
            continue
        try:
            while time.monotonic() < end:
                place += 1
                content: dict[str, object] = {"text": texts[place % len(texts)]}
                if plan.beam_size is not None:
                    content["beam_size"] = plan.beam_size
                sent = time.monotonic()
                status, told = await _ask(reader, writer, address.netloc, content)
                came = time.monotonic()
                if begin <= came <= end:
                    load.statuses[str(status)] += 1
                    if status == 200:
                        load.latencies.append(came - sent)
                if status != 200:
                    wait = told if patient and told is not None else BACK_OFF
                    await asyncio.sleep(max(0.0, min(wait, end - came)))
                    if wait > BACK_OFF:
                        break  # the server may have closed a connection on which nothing was said for so long
        except (OSError, asyncio.IncompleteReadError) as error:
            load.statuses[type(error).__name__] += 1
        finally:
            writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, content: object
) -> tuple[int, float | None]:
    """Return the status, and in how many seconds the client is told to come back."""
    body = json.dumps(content).encode()
    head = (
        f"POST /translate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer)
    if length is not None:
        await reader.readexactly(int(length[1]))
    told = re.search(rb"retry-after: (\d+)", answer)
    return int(answer[9:12]), float(told[1]) if told is not None else None


async def _watch_memory(server: int, load: Load, begin: float, end: float) -> None:
    while time.monotonic() < end:
        if time.monotonic() >= begin and (found := _resident(server)):
            load.memory.append(found)
        await asyncio.sleep(min(1.0, load.seconds / 4))


def _resident(process: int) -> int:
    """Return the bytes of memory that a process holds; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(STATUS.format(process)).read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def _server(plan: Plan) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "seq2seq_attn", "serve", plan.run, "--port", "0", *plan.options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = ADDRESS.search(said)
        if found is None:
            raise ConfigError(f"the server does not start: {said.strip()}")
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _texts(plan: Plan) -> list[str]:
    """Return what is to be translated."""
    texts = [line for line in read_lines(plan.source) if line.strip()]
    if not texts:
        raise DataError(f"{plan.source}: there is nothing to translate")
    return texts


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest number that is not exceeded by this share of all, in milliseconds."""
    if not ordered:
        return None
    return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]
