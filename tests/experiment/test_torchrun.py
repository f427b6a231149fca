"""As a user starts it: ``torchrun`` on one machine, and on two that are network namespaces."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands
from safetensors.torch import load_file
from tiny import write_config

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node"]
ENDLESS = {"training.max_epochs": None, "training.max_steps": 10**7, "training.schedule": {"kind": "constant"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def configuration(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    return write_config(folder, {"data.test": {}, "model.dropout": 0.0, "training.log_every": 2, **(changes or {})})


def start(*arguments: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start processes; what comes before ``torchrun`` is where."""
    command = [*before, *TORCHRUN, *map(str, arguments), "--resume"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def of_one_machine(config: Path, run: Path) -> tuple[object, ...]:
    return 2, "--standalone", "-m", "seq2seq_attn", "train", config, "--output", run


def assert_as_alone(commands: Commands, config: Path, run: Path) -> None:
    alone = run.with_name("alone")
    assert commands("train", config, "--output", alone).status == 0
    last = Path("checkpoints", "last", "model.safetensors")
    wanted = load_file(alone / last)
    for name, found in load_file(run / last).items():
        torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-5)


def wait_for_a_checkpoint(run: Path) -> None:
    end = time.monotonic() + 60
    while not (run / "checkpoints" / "last").exists():
        assert time.monotonic() < end, "no checkpoint"
        time.sleep(0.05)


def process(parent: int, rank: int) -> int:
    """Return which child of ``torchrun`` has this number."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text(encoding="utf-8").split("\0"):
            return int(child)
    raise AssertionError("no such process")


def test_one_machine(commands: Commands, folder: Path) -> None:
    config, run = configuration(folder), folder / "run"
    out, err = start(*of_one_machine(config, run)).communicate(timeout=120)
    assert out == f"{run}\n"
    assert err.count("training ended after 12 steps") == 1
    assert_as_alone(commands, config, run)


@pytest.mark.slow
def test_a_wrong_configuration_is_one_message(folder: Path) -> None:
    started = start(*of_one_machine(configuration(folder, {"model.attention": "bahdanua"}), folder / "run"))
    _, err = started.communicate(timeout=120)
    assert started.returncode == 1  # as always with torchrun
    assert err.count("did you mean 'bahdanau'") == err.count("seq2seq-attn:") == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["stopped", "killed"])
def test_ended_and_gone_on(commands: Commands, folder: Path, what: str) -> None:
    config, run = configuration(folder, ENDLESS), folder / "run"
    started = start(*of_one_machine(config, run))
    wait_for_a_checkpoint(run)
    if what == "stopped":
        started.send_signal(signal.SIGTERM)
    else:
        os.kill(process(started.pid, 1), signal.SIGKILL)
    _, err = started.communicate(timeout=60)
    assert started.returncode != 0
    if what == "killed":
        assert err.count("another process of this training has ended") == 1
    else:
        assert err.count("go on with --resume") == err.count("seq2seq-attn: stopped by SIGTERM") == 1
    assert not list((run / "checkpoints").glob(".aside*"))
    again = commands("train", config, "training.max_steps=1", "--output", run, "--resume")
    assert again.status == 0, again.err
    assert "resuming from step" in again.err


@pytest.fixture
def hosts() -> Iterator[tuple[tuple[str, ...], ...]]:
    """Two network namespaces with a wire between them: how to run a command in each."""
    if shutil.which("ip") is None:
        pytest.skip("no command 'ip' to make network namespaces with")
    names = [f"s2s{os.getpid()}{end}" for end in "ab"]
    wires = [f"w{os.getpid()}{end}" for end in "ab"]
    tries = [["ip", "netns", "add", name] for name in names]
    tries += [["ip", "link", "add", wires[0], "type", "veth", "peer", "name", wires[1]]]
    for number, (name, wire) in enumerate(zip(names, wires, strict=True), start=1):
        tries += [["ip", "link", "set", wire, "netns", name]]
        tries += [["ip", "-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", wire]]
        tries += [["ip", "-n", name, "link", "set", device, "up"] for device in (wire, "lo")]
    try:
        for command in tries:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespaces: {' '.join(command[:3])}: {done.stderr.strip()}")
        yield tuple(("ip", "netns", "exec", name) for name in names)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["one disk", "two disks"])
def test_two_machines(commands: Commands, folder: Path, hosts: tuple[tuple[str, ...], ...], shared: bool) -> None:
    config, run = configuration(folder), folder / "run"
    where = ("--nnodes", 2, "--master-addr", "10.77.0.1", "--master-port", 29517)
    hidden = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {run} && exec "$@"', "sh")
    if not shared:
        run.mkdir()
        if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no mount namespaces: a disk of its own cannot be given to a process")
    started = [
        start(
            *(1, *where, "--node-rank", number, "-m", "seq2seq_attn", "train", config, "--output", run),
            before=host if shared or number == 0 else (*host, *hidden),
        )
        for number, host in enumerate(hosts)
    ]
    (first, first_err), (second, second_err) = [one.communicate(timeout=200) for one in started]
    if not shared:
        assert {one.returncode for one in started} == {1}
        assert "does not see the corpus that process 0 has prepared there" in first_err
        assert first_err.count("seq2seq-attn:") == 1
        assert "seq2seq-attn:" not in second_err
        return
    assert [one.returncode for one in started] == [0, 0], first_err + second_err
    assert (first, second) == (f"{run}\n", "")
    assert "training ended" in first_err
    assert "training ended" not in second_err
    assert_as_alone(commands, config, run)
