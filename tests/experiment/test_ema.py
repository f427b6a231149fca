"""A run with ``training.ema``: everyone who opens it gets the average, and nobody has to know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands
from tiny import write_config

from seq2seq_attn import load_checkpoint
from seq2seq_attn.config import load_config
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.prepare import prepare
from seq2seq_attn.experiment.validation import Validator, text_metrics, validation_search
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.interrupts import Interrupts

CHANGES = {"data.test": {}, "model.dropout": 0.2, "training.validate_every": 1, "training.keep_best": 99}


@pytest.fixture(scope="module")
def runs(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run without and one with an average, the same otherwise, validated after every step."""
    folder = tmp_path_factory.mktemp("ema")
    found = []
    for name, decay in (("raw", None), ("ema", 0.5)):
        config = write_config(folder, {**CHANGES, "training.ema": decay}, name=f"{name}.yaml")
        done = commands("train", config, "--output", folder / name)
        assert done.status == 0, done.err
        found.append(folder / name)
    return found[0], found[1]


def log_lines(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_checkpoints_hold_the_average_of_what_training_without_it_holds(runs: tuple[Path, Path]) -> None:
    raw, ema = runs
    wanted: dict[str, torch.Tensor] = {}
    for step in range(1, 13):
        name = f"step-{step:08d}"
        plain = load_checkpoint(raw, checkpoint=name).model.state_dict()
        found = load_checkpoint(ema, checkpoint=name).model.state_dict()
        share = min(0.5, (1 + step) / (10 + step))
        for key, value in plain.items():
            if step == 1:  # the start is not kept: take it from the first average
                wanted[key] = found[key].double()
                continue
            wanted[key] = share * wanted[key] + (1 - share) * value.double()
            torch.testing.assert_close(found[key].double(), wanted[key], rtol=0, atol=1e-6)
        state = torch.load(ema / "checkpoints" / name / "training.pt", weights_only=True)["average"]
        assert state["updates"] == step
        for key, value in state["parameters"].items():
            assert torch.equal(value, plain[key]), "training itself is not changed by it"


def test_the_average_is_what_was_validated(runs: tuple[Path, Path]) -> None:
    raw, ema = runs
    config = load_config(ema / "config.yaml")
    prepared = prepare(config, ema, report=lambda _: None)
    losses = {line["step"]: line["loss"] for line in log_lines(ema, "validation")}
    for step in (1, 6, 12):
        checkpoint = load_checkpoint(ema, checkpoint=f"step-{step:08d}")
        validator = Validator(
            checkpoint.model,
            checkpoint.tokenizer,
            prepared.validation,
            list(read_linked(config.data.validation)),
            decoding=validation_search(config),
            metrics=text_metrics(config.training),
            precision=Precision(torch.float32, "for the test"),
            interrupts=Interrupts(),
        )
        assert validator()["loss"] == pytest.approx(losses[step], rel=1e-6)
        assert checkpoint.metrics["loss"] == losses[step]
    others = {line["step"]: line["loss"] for line in log_lines(raw, "validation")}
    assert all(losses[step] != others[step] for step in losses)
    assert [line["loss"] for line in log_lines(ema, "train")] == [line["loss"] for line in log_lines(raw, "train")]


def test_a_run_cannot_change_its_mind(commands: Commands, runs: tuple[Path, Path]) -> None:
    for run, was, now in ((runs[0], "None", 0.5), (runs[1], "0.5", 0.75)):
        config = run.parent / f"{run.name}.yaml"
        done = commands("train", config, f"training.ema={now}", "--output", run, "--resume")
        assert done.status == 2
        assert f"training.ema was {was}, now {now}" in done.err


@pytest.mark.parametrize("value", [0, 1, -0.5, 1.5, "often"])
def test_what_is_no_decay_is_refused(commands: Commands, tmp_path: Path, value: object) -> None:
    done = commands("prepare", write_config(tmp_path), f"training.ema={value}")
    assert done.status == 2
    assert "training.ema" in done.err
