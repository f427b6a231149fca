"""What waits in the queue of a model: the sentences of a request."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from seq2seq_attn.translation import Translation, Translator


class Ask(NamedTuple):
    """What sentences must have in common to be searched together."""

    kind: str = "translate"  # or "score"
    beam_size: int | None = None
    n_best: int = 1
    length_penalty: float | None = None


Render = Callable[["Translator", Sequence["Translation"]], Any]
"""Makes what is sent of the translations of one sentence; called by the thread that translates."""

Watch = Callable[["Translator", int, "Translation"], None]
"""Is told the number of a sentence and its translation as far as it is; called by the thread that translates."""


class Job:
    """A request on its way through the queue.

    Only the event loop touches it, but for ``gone``, which the thread that translates reads.

    Args:
        ask: how to search.
        texts: its sentences.
        render: makes the result of each.
        targets: given translations of them, to be scored.
        watch: is told of unfinished translations.
        on_result: is told the number of a sentence and its result as soon as there is one.
    """

    def __init__(
        self,
        ask: Ask,
        texts: Sequence[str],
        render: Render,
        *,
        targets: Sequence[str] | None = None,
        watch: Watch | None = None,
        on_result: Callable[[int, Any], None] | None = None,
    ) -> None:
        self.ask = ask
        self.texts = texts
        self.targets = targets
        self.render = render
        self.watch = watch
        self.waiting = deque(range(len(texts)))
        self.arrived = time.monotonic()
        self.gone = False
        self.finished: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._results: list[Any] = [None] * len(texts)
        self._missing = len(texts)
        self._on_result = on_result

    def settle(self, number: int, result: Any) -> None:
        """Take the result of a sentence, or the exception that it ended with."""
        if self.gone or self.finished.done():
            return
        if isinstance(result, Exception):
            self.finished.set_exception(result)
            return
        self._results[number] = result
        self._missing -= 1
        if self._on_result is not None:
            self._on_result(number, result)
        if not self._missing:
            self.finished.set_result(self._results)


class Piece(NamedTuple):
    """One sentence of a request, chosen for a batch."""

    job: Job
    number: int

    @property
    def text(self) -> str:
        """The sentence."""
        return self.job.texts[self.number]
