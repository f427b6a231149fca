"""What only a process of its own shows: pipes, signals, locales."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_server import Commands
from tiny import write_config

COMMAND = [sys.executable, "-m", "seq2seq_attn"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**ENVIRONMENT, **environment},
    )


@pytest.fixture
def translating(trained: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `translate` that has answered its first line and waits for the next."""
    process = start("translate", trained, "--device", "cpu")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"one two\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"dois um\n", "the answer comes before standard input ends"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def test_a_line_is_answered_while_the_pipe_is_open(translating: subprocess.Popen[bytes]) -> None:
    assert translating.stdin is not None
    assert translating.stdout is not None
    for text, answer in ((b"three\n", b"tr\xc3\xaas\n"), (b"\n", b"\n")):
        translating.stdin.write(text)
        translating.stdin.flush()
        assert translating.stdout.readline() == answer
    assert translating.communicate(timeout=60) == (b"", b"")
    assert translating.returncode == 0


def test_a_reader_that_goes_away_is_no_error(translating: subprocess.Popen[bytes]) -> None:
    """Standing for: ``translate ... | head``, which ended in an abort of the interpreter."""
    assert translating.stdin is not None
    assert translating.stdout is not None
    assert translating.stderr is not None
    translating.stdout.close()
    translating.stdin.write(b"three\n")
    translating.stdin.flush()  # and it stays open, so that the reading thread still waits
    assert translating.wait(60) == 0
    assert translating.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_waiting_for_a_line(translating: subprocess.Popen[bytes], number: signal.Signals) -> None:
    assert translating.stderr is not None
    translating.send_signal(number)
    assert translating.wait(60) == 128 + number
    assert translating.stderr.read() == b""


def test_utf8_in_any_locale(trained: Path) -> None:
    """Standing for: cron and bare containers, whose locale is ASCII."""
    process = start("translate", trained, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    out, err = process.communicate(b"three\n", timeout=60)
    assert (process.returncode, out, err) == (0, "três\n".encode(), b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_training_stops_on_a_signal_and_goes_on(commands: Commands, tmp_path: Path, number: signal.Signals) -> None:
    changes = {"training.max_epochs": 30, "training.validate_every": 60, "data.test": {}}
    config = write_config(tmp_path, changes)
    process = start("train", config, "--output", tmp_path / "run")
    while not (tmp_path / "run" / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    lines = err.decode().splitlines()
    assert process.returncode == 128 + number, err.decode()
    assert out == b""
    assert lines[-1] == f"seq2seq-attn: stopped by {number.name}"
    assert lines[-2].startswith("saved at step ")
    assert lines[-2].endswith("; go on with --resume")
    step = int(lines[-2].split()[3].rstrip(";"))
    assert (tmp_path / "run" / "checkpoints" / f"step-{step:08d}").is_dir()
    again = commands("train", config, "--output", tmp_path / "run", "--resume")
    assert f"resuming from step {step} " in again.err
    assert "training ended after 120 steps" in again.err
    whole = commands("train", config, "--output", tmp_path / "whole")
    assert whole.status == 0
    model = Path("checkpoints", "last", "model.safetensors")
    assert (tmp_path / "run" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


def test_what_cannot_be_written_is_one_line(trained: Path, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to write to")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "info", str(trained)], stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert done.returncode == 1
    assert done.stderr.decode() == "seq2seq-attn: No space left on device\n"
