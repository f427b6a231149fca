"""One training, one or several processes, one voice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from tqdm import tqdm

from seq2seq_attn.training.guard import BadSteps, Diverged
from seq2seq_attn.training.guard_memory import NoMemory
from seq2seq_attn.training.interrupts import Interrupted
from seq2seq_attn.training.ranks import Elsewhere, Ranks, RanksLost, is_first_process, join

__all__ = ["is_first_process", "keep_quiet", "processes", "say"]

AGREED = (BadSteps, Diverged, Elsewhere, Interrupted, NoMemory)
"""Errors that all processes end with; the first one tells of them."""


def say(message: str) -> None:
    """Tell the user something, beside any progress bar."""
    tqdm.write(message, file=sys.stderr)


def keep_quiet(message: str) -> None:
    """Tell nothing: the first process has told it."""
    del message


@contextlib.contextmanager
def processes() -> Iterator[Ranks]:
    """Give the processes that share a training; they leave it together, and one of them says why.

    All others end with the same exit status, after the first one, which may still have something to write.
    """
    ranks = join()
    try:
        yield ranks
        ranks.wait()
    except AGREED as error:
        if ranks.is_first:
            raise
        ranks.follow()
        raise SystemExit(error.exit_status) from None
    except RanksLost as error:
        # who has died cannot tell; of the first two at least one is left, nearly always
        if ranks.number > 1:
            raise SystemExit(error.exit_status) from None
        raise
