"""Another program, run in turn with what is measured."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import NamedTuple

from seq2seq_attn.errors import ConfigError


class Other(NamedTuple):
    """What another program did."""

    speed: float | None  # what it printed of its own speed; None if nothing
    seconds: float  # from its start to its end


def run_other(command: str, key: str) -> Other:
    """Run ``command`` and look for a line of JSON with ``key`` in what it prints, the last line first.

    Raises:
        ConfigError: if it fails.
    """
    begin = time.perf_counter()
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ConfigError(f"--against: the command ended with status {done.returncode}: {last}")
    for line in reversed(done.stdout.splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get(key), int | float):
            return Other(float(said[key]), seconds)
    return Other(None, seconds)
