"""One process per run folder, and what the lock leaves behind."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_server import Commands
from tiny import copy_run, trained_run, write_config

from seq2seq_attn.errors import TrainingError, UserError
from seq2seq_attn.experiment.lock import RunLock

# later Pythons warn of it; what is forked here does little enough
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

# does nothing but hold the lock the way any other program would: by the operating system alone
HOLDER = """
import fcntl, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
os.write(descriptor, f"{os.getpid()} elsewhere\\n".encode() if len(sys.argv) == 2 else b"")
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def held(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *more], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_refused_and_named_the_first(commands: Commands, tmp_path: Path) -> None:
    config, run = write_config(tmp_path), tmp_path / "run"
    assert commands("--version").status == 0  # the time that the first command of all takes is not measured
    with held(run) as first:
        for verb in (("train", config), ("train", config, "--resume"), ("prepare", config)):
            before = time.perf_counter()
            done = commands(*verb, "--output", run)
            assert time.perf_counter() - before < 5, "at once, and not after preparing"
            assert done.status == 2
            assert f"{run}: process {first.pid} on elsewhere is working on this run" in done.err
            assert len(done.err.splitlines()) == 1
        assert sorted(path.name for path in run.iterdir()) == [".lock"], "it has written nothing"
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert (run / ".lock").exists(), "only the lock goes with its process, not the file"
        assert commands("prepare", config, "--output", run).status == 0
    assert not (run / ".lock").exists()


def test_an_owner_who_has_not_said_who_it_is(tmp_path: Path) -> None:
    with held(tmp_path, "silent"), pytest.raises(UserError, match="another process is working on this run"):
        RunLock(tmp_path).__enter__()


def test_reading_needs_no_lock(commands: Commands, tmp_path: Path) -> None:
    run = copy_run(trained_run(), tmp_path / "run")
    with held(run):
        assert commands("info", run).status == 0
        (tmp_path / "text").write_text("one two\n", encoding="utf-8")
        assert commands("translate", run, "--source", tmp_path / "text").status == 0


def test_what_a_lock_leaves_behind(tmp_path: Path) -> None:
    with RunLock(tmp_path / "a" / "b"):
        text = (tmp_path / "a" / "b" / ".lock").read_text()
        assert int(text.split()[0]) == os.getpid()
    assert list(tmp_path.iterdir()) == [], "folders in which nothing came to be are taken away again"
    with RunLock(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "kept").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["kept"]


def test_in_one_process_too_there_is_only_one(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        with pytest.raises(UserError, match=re.escape(f"process {os.getpid()} on")):
            RunLock(tmp_path).__enter__()
        assert (tmp_path / ".lock").exists(), "the one that was refused has not taken the other's file away"
    with RunLock(tmp_path):
        pass


def _take_in_turn(folder: Path, file: Path, turns: int) -> None:
    done = 0
    while done < turns:
        try:
            with RunLock(folder):
                number = int(file.read_text())
                time.sleep(0.0005)
                file.write_text(str(number + 1))
                done += 1
        except UserError:
            time.sleep(0.0005)


def test_never_two_at_once(tmp_path: Path) -> None:
    """Standing for: a lock file that one deletes while another has just opened it, so that a third makes a new one."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_take_in_turn, args=(tmp_path / "run", counter, 40)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert counter.read_text() == "160"


@pytest.mark.parametrize("gone", [["a/run"], ["a/run", "a"]], ids=str)
def test_a_folder_that_another_takes_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:
    """Between making the folder and opening the lock in it, one who has just ended removes it, its parent or not."""
    folder = tmp_path / "a" / "run"
    opened = os.open
    vanished = []

    def open_too_late(path: Path, *arguments: int) -> int:
        if not vanished:
            vanished.append(path)
            for name in gone:
                (tmp_path / name).rmdir()
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", open_too_late)
    with RunLock(folder):
        assert (folder / ".lock").exists()
    assert vanished == [folder / ".lock"]
    assert list(tmp_path.iterdir()) == []


OWNER = """
import os, pathlib, sys, time
from seq2seq_attn.experiment.lock import RunLock
ready, started = os.pipe()
with RunLock(pathlib.Path(sys.argv[1])):
    worker = os.fork()
    if not worker:
        os.write(started, b"!")  # a process that is killed before its worker runs at all leaves it the lock
        time.sleep(60)
    os.read(ready, 1)
    print(worker, flush=True)
    time.sleep(60)
"""


def test_a_forked_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Standing for: a run that nobody can resume because a worker of the killed one still hangs about."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        worker = int(owner.stdout.readline())
        with pytest.raises(UserError, match=f"process {owner.pid} on"):
            RunLock(tmp_path).__enter__()
        owner.kill()
        owner.wait()
        os.kill(worker, 0)  # it lives
        with RunLock(tmp_path):
            pass
        os.kill(worker, signal.SIGKILL)


def test_a_file_system_without_locks_is_no_reason_not_to_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize("place", ["/proc/run", "/dev/null/run"])
def test_a_folder_that_cannot_be_written(commands: Commands, tmp_path: Path, place: str) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    with pytest.raises(TrainingError, match=re.escape(f"{place}: cannot be written (")):
        RunLock(Path(place)).__enter__()
    done = commands("train", write_config(tmp_path), "--output", place)
    assert done.status == 1
    assert f"{place}: cannot be written (" in done.err
    assert "choose another folder with --output" in done.err
    assert "Traceback" not in done.err
