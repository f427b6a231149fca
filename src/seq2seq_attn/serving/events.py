"""Server-sent events: a translation while it is written.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from seq2seq_attn.serving.work import Watch
from seq2seq_attn.translation import Translation, Translator

MEDIA_TYPE = "text/event-stream"
PAUSE = 0.05  # seconds between two drawings of a translation that is being written


class Event(NamedTuple):
    """One event."""

    name: str
    data: dict[str, Any]

    def encode(self) -> bytes:
        """Return it as it is sent; JSON has no line ends of its own, so one line holds the data."""
        return f"event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


class Progress:
    """What is new of a request since somebody looked.

    A client that reads slowly misses beginnings that were replaced by longer ones, never a result; so what waits for
    it stays small.
    """

    def __init__(self) -> None:
        self._partial: dict[int, dict[str, Any]] = {}
        self._results: list[Event] = []
        self._changed = asyncio.Event()

    def watcher(self, draw: Callable[[Translator, Translation], Any] | None = None) -> Watch:
        """Return what the thread that translates may call.

        Args:
            draw: makes what is sent beside the text, now and then; None: nothing is.
        """
        loop = asyncio.get_running_loop()
        drawn: dict[int, float] = {}

        def watch(translator: Translator, number: int, begun: Translation) -> None:
            partial: dict[str, Any] = {"sentence": number, "text": begun.text}
            if draw is not None and time.monotonic() - drawn.get(number, -PAUSE) >= PAUSE:
                partial["panel"] = draw(translator, begun)
                drawn[number] = time.monotonic()
            loop.call_soon_threadsafe(self._begin, number, partial)

        return watch

    def result(self, number: int, result: Any) -> None:
        """Take the result of a sentence."""
        self._partial.pop(number, None)
        self._results.append(Event("result", {"sentence": number, "result": result}))
        self._changed.set()

    async def events(self, finished: asyncio.Future[Any], seconds: float) -> AsyncIterator[Event]:
        """Give what is new until ``finished``, for at most so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        finished.add_done_callback(lambda _: self._changed.set())
        while not finished.done():
            left = end - loop.time()
            if left <= 0:
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
            self._changed.clear()
            for event in self._news():
                yield event
        for event in self._news():
            yield event

    def _begin(self, number: int, partial: dict[str, Any]) -> None:
        self._partial[number] = {**self._partial.get(number, {}), **partial}
        self._changed.set()

    def _news(self) -> list[Event]:
        begun = [Event("partial", partial) for partial in self._partial.values()]
        news = [*begun, *self._results]
        self._partial.clear()
        self._results.clear()
        return news
