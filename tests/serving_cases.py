"""A server in this process, on a port of its own, over models that can be held and that count who enters them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import uvicorn
from translators import small_translator

from seq2seq_attn import Translator
from seq2seq_attn.serving.app import build_app
from seq2seq_attn.serving.guard import allowed_hosts
from seq2seq_attn.serving.limits import Limits
from seq2seq_attn.serving.models import ServedModel
from seq2seq_attn.serving.run import address, bind, configure, start_listening
from seq2seq_attn.serving.service import Service

FACTS = {
    "source_language": "en",
    "target_language": "pt",
    "format": "run",
    "architecture": "rnn",
    "attention": "luong-general",
    "parameters": 7,
    "models": 1,
}
PATIENCE = 90  # seconds, for what happens at once unless something is wrong


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: a browser that other tests have opened keeps a loop going in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class Recorder:
    """A model that writes down how it is entered, and waits at the door while it is held."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.batches: list[int] = []  # sentences of each
        self.steps = 0
        self.threads: set[int] = set()
        self.entered = threading.Event()
        self._inside = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Let nobody in from now on."""
        self._open.clear()
        self.entered.clear()

    def release(self) -> None:
        """Let everybody in."""
        self._open.set()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._inside.acquire(blocking=False), "two threads at once"
        try:
            self.threads.add(threading.get_ident())
            yield
        finally:
            self._inside.release()

    def start(self, source: Any, lengths: Any) -> Any:
        with self._alone():
            self.batches.append(len(lengths))
            self.entered.set()
            assert self._open.wait(PATIENCE)
            return self.model.start(source, lengths)

    def step(self, tokens: Any, state: Any) -> Any:
        with self._alone():
            self.steps += 1
            assert self._open.wait(PATIENCE)
            return self.model.step(tokens, state)


class RecordedTranslator(Translator):
    """A translator whose model is recorded."""

    def __init__(self, translator: Translator) -> None:
        super().__init__(translator.model, translator.tokenizers, translator.decoding)
        self.recorder = Recorder(translator.stepper("float32"))

    def stepper(self, precision: str) -> Any:
        return self.recorder


def recorded(**decoding: Any) -> RecordedTranslator:
    return RecordedTranslator(small_translator("luong-general", **{"beam_size": 2, "max_length": 9, **decoding}))


class Running:
    """A server, and what tests ask of it."""

    def __init__(self, url: str, service: Service, server: uvicorn.Server) -> None:
        self.url = url
        self.service = service
        self.server = server
        self.client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)
        self.threads = ThreadPoolExecutor(64)

    def post(self, path: str, content: Any, **options: Any) -> httpx.Response:
        return self.client.post(path, json=content, **options)

    def later(self, path: str, content: Any) -> Future[httpx.Response]:
        """Ask in a thread of its own."""
        return self.threads.submit(self.post, path, content)

    def waiting(self, name: str = "small") -> int:
        """Sentences in the queue of a model."""
        return self.service.batchers[name].queue.waiting


@contextlib.contextmanager
def running(
    *translators: Translator,
    token: str | None = None,
    hosts: tuple[str, ...] = (),
    **limits: Any,
) -> Iterator[Running]:
    """Serve models called ``small``, ``second``, ...; stop when the block ends."""
    names = ("small", "second", "third")
    allowed = Limits(**{"batch_milliseconds": 0, "seconds": 300.0, **limits})
    allowed.check()
    models = {
        name: ServedModel(name, translator, FACTS, allowed)
        for name, translator in zip(names, translators, strict=False)
    }
    service = Service(models, allowed)
    app = build_app(service, token=token, hosts=allowed_hosts("127.0.0.1", hosts))
    listener = bind("127.0.0.1", 0)
    start_listening(listener)
    server = uvicorn.Server(configure(app, allowed))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    url = address(listener)
    thread.start()
    wait_until(lambda: server.started)
    found = Running(url, service, server)
    try:
        yield found
    finally:
        for translator in translators:
            if isinstance(translator, RecordedTranslator):
                translator.recorder.release()
        found.threads.shutdown()
        found.client.close()
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
        listener.close()


def wait_until(claim: Callable[[], bool]) -> None:
    """Wait until something holds that will hold in a moment."""
    end = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)


def read_events(response: httpx.Response) -> Iterator[tuple[str, str]]:
    """Read server-sent events as the standard says: fields in lines, an empty line ends an event."""
    name, data = "message", []
    for line in response.iter_lines():
        if line == "":
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)
