"""Several processes train what one would: the same numbers, the same decisions, one voice."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands, Done
from safetensors.torch import load_file
from tiny import TIMES, write_config

VARIANTS: dict[str, dict[str, Any]] = {
    # 127 sentences are three batches of 32 and one of 31
    "odd": {"training.clip_norm": 0.1},
    "accumulate": {"training.accumulate": 3, "training.batch_sentences": 11},
    "tokens": {"training.batch_sentences": None, "training.batch_tokens": 150},
    # most processes have nothing to learn from
    "one sentence": {"training.batch_sentences": 1, "training.max_epochs": None, "training.max_steps": 9},
    "weight losses and average": {
        "training.guided_alignment": 0.7,
        "training.coverage_loss": 0.3,
        "training.ema": 0.5,
        "training.freeze": "encoder.*",
    },
    "plateau": {
        "training.schedule": {"kind": "plateau", "patience": 0, "warmup_steps": 0},
        "training.validate_every": 2,
        "training.patience": 2,
        "training.max_epochs": 5,
    },
}

QUICK = ("odd", "accumulate", "one sentence", "weight losses and average")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


def configuration(folder: Path, changes: dict[str, Any]) -> Path:
    changes = {"data.test": {}, "model.dropout": 0.0, "training.log_every": 2, **changes}
    if "training.guided_alignment" in changes:
        changes |= {f"data.{split}.alignments": str(folder / f"{split}.align") for split in ("train", "validation")}
    return write_config(folder, changes)


def train(commands: Commands, config: Path, run: Path, processes: int, **strike: Any) -> Done:
    return commands("train", config, "--output", run, "--resume", processes=processes, **strike)


def fresh(folder: Path, name: str) -> Path:
    shutil.rmtree(folder / name, ignore_errors=True)
    return folder / name


def records(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def assert_close(run: Path, wanted: Path) -> None:
    """Same checkpoints and parameters, same log, each number give or take a rounding."""
    names = sorted(path.name for path in (wanted / "checkpoints").iterdir())
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == names
    parameters = load_file(wanted / "checkpoints" / "last" / "model.safetensors")
    for name, found in load_file(run / "checkpoints" / "last" / "model.safetensors").items():
        torch.testing.assert_close(found, parameters[name], rtol=1e-4, atol=1e-5, msg=lambda text, at=name: at + text)
    for line, expected in zip(records(run), records(wanted), strict=True):
        kind = expected.pop("kind")
        assert line.pop("kind") == kind
        assert line == pytest.approx(expected, rel=1e-4)


def assert_same_bits(run: Path, wanted: Path) -> None:
    for name in ("last", "best"):
        found, expected = run / "checkpoints" / name, wanted / "checkpoints" / name
        assert (found / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()
    assert records(run) == records(wanted)


@pytest.mark.parametrize(
    "variant", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS if name not in QUICK)]
)
def test_two_processes_train_as_one_would(commands: Commands, folder: Path, variant: str) -> None:
    config = configuration(folder, VARIANTS[variant])
    one, two = fresh(folder, "one"), fresh(folder, "two")
    assert train(commands, config, one, 1).status == 0
    done = train(commands, config, two, 2)
    assert done.statuses == (0, 0), done.err
    assert_close(two, one)
    state = torch.load(two / "checkpoints" / "last" / "training.pt", weights_only=True)
    own = [process["cpu"] for process in state["random"]["processes"]]
    assert len(own) == 2
    assert not torch.equal(*own), "each draws random numbers of its own"


def test_three_processes_have_one_voice_and_one_log(commands: Commands, folder: Path) -> None:
    config = write_config(folder, {"model.dropout": 0.0})
    one, three = fresh(folder, "one"), fresh(folder, "three")
    alone, done = train(commands, config, one, 1), train(commands, config, three, 3)
    assert done.statuses == (0, 0, 0), done.err
    assert_close(three, one)
    assert done.out.replace("three", "one") == alone.out
    assert done.err.count("parameters") == done.err.count("training ended") == done.err.count("learning the tok") == 1
    assert "3 processes, each with 1 threads" in done.err
    assert not (three / ".lock").exists()
    assert (three / "evaluation").is_dir()


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), pytest.param(3, 2, marks=pytest.mark.slow)])
def test_another_number_of_processes_goes_on_where_it_was(
    commands: Commands, folder: Path, before: int, after: int
) -> None:
    config = configuration(folder, {})
    whole, run = fresh(folder, "whole"), fresh(folder, "run")
    assert train(commands, config, whole, 1).status == 0
    stopped = train(commands, config, run, before, signal_at=(2, signal.SIGTERM))
    assert set(stopped.statuses) == {143}
    done = train(commands, config, run, after)
    assert set(done.statuses) == {0}, done.err
    assert "resuming from step 2" in done.err
    assert f"the checkpoint is of {before} processes, and now there are {after}" in done.err
    assert_close(run, whole)


@pytest.mark.parametrize("look", [3, pytest.param(6, marks=pytest.mark.slow), 7], ids=["step", "loss", "translations"])
def test_a_signal_to_one_stops_all_and_nothing_is_lost(commands: Commands, folder: Path, look: int) -> None:
    """With dropout: each process goes on with its own random numbers, to the same bits."""
    config = configuration(folder, {"model.dropout": 0.3})
    whole, run = fresh(folder, "whole"), fresh(folder, "run")
    assert train(commands, config, whole, 2).statuses == (0, 0)
    done = train(commands, config, run, 2, signal_at=(look, signal.SIGTERM), struck=1)
    assert done.statuses == (143, 143), done.err
    assert done.err.count("go on with --resume") == 1
    assert done.err.count("stopped by SIGTERM") == 1
    assert train(commands, config, run, 2).statuses == (0, 0)
    assert_same_bits(run, whole)


@pytest.mark.parametrize("struck", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_when_one_is_killed_the_others_say_so_and_end(commands: Commands, folder: Path, struck: int) -> None:
    config = configuration(folder, {"model.dropout": 0.3})
    whole, run = fresh(folder, "whole"), fresh(folder, "run")
    assert train(commands, config, whole, 3).statuses == (0, 0, 0)
    done = train(commands, config, run, 3, signal_at=(10, signal.SIGKILL), struck=struck)
    assert [status for number, status in enumerate(done.statuses) if number != struck] == [1, 1]
    assert done.statuses[struck] == -signal.SIGKILL
    assert done.err.count("another process of this training has ended") == 1
    assert "go on with --resume" in done.err
    assert "Traceback" not in done.err
    assert (run / "checkpoints" / "last").resolve().name == "step-00000004"
    assert train(commands, config, run, 3).statuses == (0, 0, 0)
    assert_same_bits(run, whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.attention": "bahdanua"}, "did you mean 'bahdanau'"),
        ({"data.train": {"source": "no.en", "target": "no.pt"}}, "no.en"),
        ({"training.initial": "no-run"}, "training.initial"),
        ({"training.guided_alignment": 1.0, "data.train.alignments": None}, "training.guided_alignment"),
    ],
)
def test_what_is_wrong_is_said_once(commands: Commands, folder: Path, changes: dict[str, Any], message: str) -> None:
    config = write_config(folder, {"data.test": {}, **changes})
    run = fresh(folder, "wrong")
    done = train(commands, config, run, 3)
    assert done.statuses == (2, 2, 2)
    assert message in done.err
    assert done.err.count("seq2seq-attn:") == 1, done.err
    assert "Traceback" not in done.err


def test_no_room_for_a_checkpoint_ends_all(commands: Commands, folder: Path) -> None:
    config = configuration(folder, {})
    run = fresh(folder, "full")
    done = train(commands, config, run, 2, no_room_at=5, struck=0)
    assert done.statuses == (1, 1)
    assert done.err.count("seq2seq-attn:") == 1, done.err
    assert "cannot be written (File too large)" in done.err
    assert train(commands, config, run, 2).statuses == (0, 0)


def test_minutes_are_those_of_the_first_process(commands: Commands, folder: Path) -> None:
    config = configuration(folder, {"training.max_minutes": 0.01, "training.max_epochs": 10**6})
    done = train(commands, config, fresh(folder, "minutes"), 2)
    assert done.statuses == (0, 0), done.err
    assert "max_minutes (0.01)" in done.err
