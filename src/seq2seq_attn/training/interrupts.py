"""Ctrl-C and SIGTERM while training: finish the step, save, then stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from seq2seq_attn.errors import Seq2SeqError
from seq2seq_attn.training.ranks import Ranks, RanksLost

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Seq2SeqError):  # noqa: N818 - what happened, not an error of ours
    """Training was asked to stop by a signal.

    Attributes:
        exit_status: 128 + the signal's number, as a shell reports it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_status = 128 + number


class Interrupts:
    """Turns signals into a request that is looked at where stopping is safe.

    The first signal asks; a second one of the same kind acts as it would without us. Outside the
    main thread, where Python delivers no signals, nothing is changed. A process that has lost the
    others ends by itself, and goes on to take the first signal for a request.

    Args:
        ranks: the processes of the training; a signal to any of them stops all, at the same look.
    """

    def __init__(self, ranks: Ranks | None = None) -> None:
        self.ranks = ranks or Ranks()
        self._requested: int | None = None
        self._before: dict[int, Any] = {}

    def check(self) -> None:
        """Raise if a signal has come.

        Raises:
            Interrupted: naming it.
        """
        requested = self.ranks.largest(self._requested or 0)
        if requested:
            raise Interrupted(requested)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, RanksLost):
            return  # whoever started the processes notices, too, and its SIGTERM would come before the reason is told
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._requested = number
        signal.signal(number, self._before[number])
