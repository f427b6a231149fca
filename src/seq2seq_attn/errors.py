"""The exceptions this package raises on purpose.

    Seq2SeqError            anything that went wrong and that we can explain
    ├── UserError           the request is wrong; the command line exits with 2
    │   ├── ConfigError     a configuration file or an override
    │   ├── DataError       a text, an alignment or a corpus file
    │   ├── CheckpointError a run or a checkpoint folder
    │   └── MissingExtra    an optional library that is not installed
    └── TrainingError       training failed while it was working; exits with 1

A message says what was found, what was wanted and what to do. It names the
file, the line and the configuration key that the user wrote.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Seq2SeqError(Exception):
    """Base of every error that this package explains."""

    exit_status = 1


class UserError(Seq2SeqError):
    """The request cannot be carried out as it was made."""

    exit_status = 2


class ConfigError(UserError):
    """A configuration is wrong; the message holds every problem found."""


class DataError(UserError):
    """A text or corpus file is missing, damaged or unfit."""


class CheckpointError(UserError):
    """A run or checkpoint folder is missing, damaged, foreign or unfit."""


class MissingExtra(UserError):  # noqa: N818 - reads as what it is: an extra that is missing
    """A feature needs a library that is not installed."""

    def __init__(self, feature: str, library: str, extra: str) -> None:
        super().__init__(f"{feature} needs {library}: pip install 'seq2seq-attn[{extra}]'")


class TrainingError(Seq2SeqError):
    """Training failed while it was working."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of ``known``, or an empty string."""
    matches = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""
