"""What to do when whoever reads our output has had enough, as ``head`` has."""

from __future__ import annotations

import os
import sys


def drop_output() -> None:
    """Let standard output end nowhere: Python would complain once more when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
