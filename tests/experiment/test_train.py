"""Training from a configuration: what a run folder holds, and what may be done in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands
from tiny import TIMES, write_config

from seq2seq_attn import load_config, train
from seq2seq_attn.errors import CheckpointError, ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def config(folder: Path) -> Path:
    return write_config(folder, {"training.max_epochs": 2})


@pytest.fixture(scope="module")
def finished(commands: Commands, folder: Path, config: Path) -> Path:
    """A finished run; tests copy it before they change it."""
    done = commands("train", config, "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_what_a_run_folder_holds(finished: Path, config: Path) -> None:
    assert sorted(path.name for path in finished.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "corpus",
        "evaluation",
        "metrics.jsonl",
        "tokenizer",
    ]
    assert sorted(path.name for path in (finished / "checkpoints").iterdir()) == [
        "best",
        "last",
        "step-00000004",
        "step-00000008",
    ]
    assert load_config(finished / "config.yaml") == load_config(config)
    assert sorted(path.name for path in (finished / "evaluation").iterdir()) == ["test.hyp", "test.json"]
    assert not list(finished.rglob(".aside*"))


def test_every_log_line_is_an_object_with_its_step(finished: Path) -> None:
    lines = metrics(finished)
    assert [(line["kind"], line["step"]) for line in lines] == [
        ("train", 3),
        ("validation", 4),
        ("train", 6),
        ("validation", 8),
    ]
    for line in lines:
        wanted = {"loss", "perplexity", "learning_rate", "tokens_per_second"}
        assert line.keys() >= (wanted if line["kind"] == "train" else {"loss", "perplexity", "bleu", "epoch"})


def test_from_python_as_from_the_command(finished: Path, config: Path, tmp_path: Path) -> None:
    """Same bits, also in the process that runs these tests."""
    threads = torch.get_num_threads()
    try:
        run = train(config, {"name": "other"}, output=tmp_path / "run")
    finally:
        torch.set_num_threads(threads)
    assert (run.folder, run.step, run.reason) == (tmp_path / "run", 8, "max_epochs (2)")
    assert run.best == max(line["bleu"] for line in metrics(finished) if line["kind"] == "validation")
    names = [f"checkpoints/step-{step:08d}/model.safetensors" for step in (4, 8)]
    assert [(run.folder / name).read_bytes() for name in names] == [(finished / name).read_bytes() for name in names]
    lines = [
        [{name: value for name, value in line.items() if name not in TIMES} for line in metrics(folder)]
        for folder in (run.folder, finished)
    ]
    assert lines[0] == lines[1]
    assert run.scores["test"]["bleu"].text in (finished / "evaluation" / "test.json").read_text(encoding="utf-8")


def test_a_finished_run_is_not_trained_over(run: Path, config: Path) -> None:
    before = contents(run)
    with pytest.raises(ConfigError, match=r"run: this run has been trained already; go on with --resume, or choose"):
        train(config, output=run)
    with pytest.raises(ConfigError, match=r"another configuration \(seed was 1, now 2\); choose another folder with"):
        train(config, {"seed": 2}, output=run)
    assert contents(run) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"model.attention": "bahdanau"},
        {"model.decoder.hidden_size": 17},
        {"training.optimizer.learning_rate": 0.5},
        {"training.batch_sentences": 7},
        {"tokenizer.minimum_frequency": 2},
    ],
    ids=str,
)
def test_resuming_with_another_model_is_refused(run: Path, config: Path, changes: dict[str, Any]) -> None:
    before = contents(run)
    (key,) = changes
    with pytest.raises(ConfigError, match=rf"cannot be resumed with another configuration \({key} was .*, now .*\)"):
        train(config, changes, output=run, resume=True)
    assert contents(run) == before


def test_resuming_with_other_limits_goes_on(commands: Commands, run: Path, config: Path) -> None:
    done = commands("train", config, "training.max_epochs=3", "--output", run, "--resume")
    assert done.status == 0, done.err
    assert "resuming from step 8" in done.err
    assert metrics(run)[-1]["step"] == 12
    assert "max_epochs: 3" in (run / "config.yaml").read_text(encoding="utf-8")


def test_resuming_a_finished_run_only_scores_it_again(commands: Commands, run: Path, config: Path) -> None:
    before = contents(run / "checkpoints")
    done = commands("train", config, "--output", run, "--resume")
    assert done.status == 0
    assert "training ended after 8 steps" in done.err
    assert contents(run / "checkpoints") == before


def test_resuming_nothing_says_so_and_starts(commands: Commands, config: Path, tmp_path: Path, finished: Path) -> None:
    done = commands("train", config, "--output", tmp_path / "new", "--resume")
    assert done.status == 0
    assert f"nothing to resume in {tmp_path / 'new'} yet: starting from the beginning" in done.err
    model = Path("checkpoints", "last", "model.safetensors")
    assert (tmp_path / "new" / model).read_bytes() == (finished / model).read_bytes()


def test_a_damaged_newest_checkpoint_is_passed_over(
    commands: Commands, run: Path, config: Path, finished: Path
) -> None:
    os.truncate(run / "checkpoints" / "step-00000008" / "training.pt", 99)
    done = commands("train", config, "--output", run, "--resume")
    assert done.status == 0
    assert "passing over a damaged checkpoint: " in done.err
    assert "resuming from step 4" in done.err
    model = Path("checkpoints", "step-00000008", "model.safetensors")
    assert (run / model).read_bytes() == (finished / model).read_bytes()


def test_a_checkpoint_of_foreign_state_is_an_error(run: Path, config: Path) -> None:
    checkpoint = run / "checkpoints" / "step-00000008"
    torch.save({"hello": torch.zeros(3)}, checkpoint / "training.pt")
    info = json.loads((checkpoint / "checkpoint.json").read_text())
    info["checksums"]["training.pt"] = hashlib.sha256((checkpoint / "training.pt").read_bytes()).hexdigest()
    (checkpoint / "checkpoint.json").write_text(json.dumps(info))
    with pytest.raises(CheckpointError, match="holds no training state that this release can go on from"):
        train(config, output=run, resume=True)


def foreign_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("precious")


def plain_file(path: Path) -> None:
    path.write_text("precious")


@pytest.mark.parametrize(
    ("make", "message"),
    [(foreign_folder, r"holds other files \(thesis\.tex\) and no run"), (plain_file, "is a file, but a run needs a")],
)
def test_what_is_not_ours_is_left_alone(
    tmp_path: Path, config: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "mine")
    before = contents(tmp_path)
    for resume in (False, True):
        with pytest.raises(ConfigError, match=message):
            train(config, output=tmp_path / "mine", resume=resume)
    assert contents(tmp_path) == before


def test_preparing_first_saves_the_work(commands: Commands, config: Path, tmp_path: Path) -> None:
    first = commands("prepare", config, "--output", tmp_path / "run")
    assert first.status == 0
    assert first.out == f"{tmp_path / 'run'}\n"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "corpus", "tokenizer"]
    second = commands("train", config, "--output", tmp_path / "run")
    assert second.status == 0
    assert "reusing the tokenizer" in second.err
    assert "reusing the prepared corpus" in second.err


def test_early_stopping(commands: Commands, folder: Path, tmp_path: Path) -> None:
    """A learning rate of next to nothing brings no progress."""
    changes = {
        "training.optimizer": {"kind": "sgd", "learning_rate": 1e-12},
        "training.patience": 2,
        "training.max_epochs": 9,
        "data.test": {},
    }
    config = write_config(folder, changes, name="patient.yaml")
    done = commands("train", config, "--output", tmp_path / "run", "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["reason"] == "no progress in bleu over 2 validations"
    assert found["step"] == 12
    assert found["scores"] == {}


@pytest.mark.parametrize(
    ("limit", "reason", "steps"),
    [
        ("training.max_steps=5", "max_steps (5)", 5),
        ("training.max_minutes=0.000001", "max_minutes (1e-06)", 1),
        ("training.min_steps=41", "max_epochs (2) and min_steps (41)", 41),
    ],
)
def test_other_limits(commands: Commands, config: Path, tmp_path: Path, limit: str, reason: str, steps: int) -> None:
    done = commands("train", config, limit, "--output", tmp_path / "run", "--json")
    assert done.status == 0, done.err
    assert (json.loads(done.out)["reason"], json.loads(done.out)["step"]) == (reason, steps)


def test_divergence_is_a_failure_and_not_a_wrong_request(commands: Commands, config: Path, tmp_path: Path) -> None:
    done = commands(
        "train",
        config,
        "training.optimizer.kind=sgd",
        "training.optimizer.learning_rate=1e38",
        "training.clip_norm=null",
        "--output",
        tmp_path / "run",
    )
    assert done.status == 1
    assert "training diverged: the loss is" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("run/checkpoints/step-*"))


def test_tensorboard(commands: Commands, config: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    done = commands("train", config, "training.tensorboard=true", "--output", tmp_path / "run")
    assert done.status == 0, done.err
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))


def test_the_default_folder_is_named_after_the_run(
    monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path
) -> None:
    from seq2seq_attn.experiment.train import run_folder_of

    monkeypatch.chdir(tmp_path)
    assert run_folder_of(load_config(config), None) == Path("runs/tiny")
    assert run_folder_of(load_config(config), "elsewhere") == Path("elsewhere")
