from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seq2seq_attn.data.workers import available_cores, map_in_order
from seq2seq_attn.errors import TrainingError

# Tasks must be importable where the package is: these are of the standard library.
ITEMS = [f"{number:b}" for number in range(97)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    assert list(map_in_order(len, ITEMS, count)) == [len(item) for item in ITEMS]
    assert list(map_in_order(len, [], count)) == []


def test_few_items_are_on_their_way() -> None:
    taken: list[int] = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield 0.0

    results = map_in_order(time.sleep, items(), 2)
    next(results)
    assert len(taken) <= 2 * 2 + 1
    results.close()
    assert len(taken) <= 2 * 2 + 1


def test_errors_come_back_as_they_are() -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(map_in_order(int, ["1"] * 7 + ["one"] + ["1"] * 7, 2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(TrainingError, match=r"ended with status 7 before its work was done; .*set data\.workers"):
        list(map_in_order(os._exit, [7] * 9, 2))


def test_what_tasks_print_does_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(map_in_order(print, ITEMS[:9], 2)) == [None] * 9
    assert capfd.readouterr().out == ""


def test_files_of_the_folder_it_is_started_in_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queue.py").write_text("raise RuntimeError('not that queue')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert list(map_in_order(len, ITEMS, 2)) == [len(item) for item in ITEMS]


def test_few_items_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert list(map_in_order(len, ITEMS[:3], 2)) == [len(item) for item in ITEMS[:3]]


def test_torch_is_not_loaded_to_encode() -> None:
    # it would take each process seconds and hundreds of megabytes
    code = "import sys, seq2seq_attn.data.encode, seq2seq_attn.data.workers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_processes_end_with_the_one_that_asks(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, time\n"
        "from seq2seq_attn.data import workers\n"
        "with workers._Processes(time.sleep, 2) as processes:\n"
        "    pids = ' '.join(str(process.pid) for process in processes._all)\n"
        f"    pathlib.Path({str(tmp_path / 'pids')!r}).write_text(pids)\n"
        "    [processes.submit(0.2) for _ in range(1000)][-1].result()\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    assert available_cores() == 3
