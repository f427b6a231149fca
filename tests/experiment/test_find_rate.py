"""``train --find-lr``: what it measures, suggests, writes, and leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands
from tiny import LEARNED, write_config

from seq2seq_attn import load_config
from seq2seq_attn.errors import ConfigError, TrainingError
from seq2seq_attn.experiment.building import build_batches, build_network
from seq2seq_attn.experiment.find_rate import find_learning_rate
from seq2seq_attn.experiment.preparing import prepare_run
from seq2seq_attn.training.rate_range import exponential_rates

CHANGES = {**LEARNED, "training.batch_sentences": 32, "training.label_smoothing": 0.1}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("find"), CHANGES)


@pytest.fixture(scope="module")
def swept(commands: Commands, config: Path) -> tuple[Path, Any]:
    done = commands("train", config, "--find-lr", "--output", config.parent / "run")
    assert done.status == 0, done.err
    return config.parent / "run", done


def record_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "find-lr.json").read_text(encoding="utf-8"))


def test_it_prints_an_override_and_writes_plot_and_numbers(swept: tuple[Path, Any]) -> None:
    run, done = swept
    key, _, rate = done.out.strip().partition("=")
    record = record_of(run)
    assert key == "training.optimizer.learning_rate"
    assert float(rate) == pytest.approx(record["suggestion"], rel=0.05)
    assert 1e-4 < float(rate) < 0.1  # what Adam is used with
    assert record["suggestion"] == record["lowest"] / 10
    assert f"training.optimizer.learning_rate={rate}" in done.err
    assert (run / "find-lr.png").read_bytes().startswith(b"\x89PNG")
    assert len(record["rates"]) == len(record["losses"]) == len(record["smoothed"])
    assert record["rates"] == exponential_rates(200)[: len(record["rates"])]


def test_losses_are_those_of_plain_steps_of_adam(swept: tuple[Path, Any], config: Path, tmp_path: Path) -> None:
    """The first steps again, by hand: same parameters, same batches, label smoothing, clipping."""
    loaded = load_config(config)
    prepared = prepare_run(loaded, tmp_path / "run")
    device = torch.device("cpu")
    torch.manual_seed(loaded.seed)
    model = build_network(loaded, prepared, device)
    optimizer = torch.optim.Adam(model.parameters())
    wanted = []
    batches = [*build_batches(loaded, prepared, device).epoch(0), *build_batches(loaded, prepared, device).epoch(1)]
    for batch, rate in zip(batches, exponential_rates(200), strict=False):
        forced = model(batch.source, batch.source_lengths, batch.target_in)
        logits = torch.nn.functional.linear(forced.features, model.output.weight, model.output.bias)
        log_probs = torch.log_softmax(logits, -1)
        mask = torch.arange(batch.target_out.shape[1]) < batch.target_lengths[:, None]
        right = log_probs.gather(-1, batch.target_out[..., None]).squeeze(-1)[mask]
        smoothed = 0.9 * right.sum() + 0.1 * log_probs.mean(-1)[mask].sum()
        optimizer.zero_grad()
        (-smoothed / mask.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        wanted.append(-float(right.detach().sum()) / int(mask.sum()))
    assert len(wanted) == 8
    assert record_of(swept[0])["losses"][:8] == pytest.approx(wanted, rel=1e-5)


def test_nothing_of_a_run_is_left_but_what_preparation_made(
    commands: Commands, swept: tuple[Path, Any], config: Path
) -> None:
    """And training in the same folder gives the same bytes as without the sweep."""
    run, _ = swept
    assert sorted(path.name for path in run.iterdir() if path.name != ".lock") == [
        "config.yaml",
        "corpus",
        "find-lr.json",
        "find-lr.png",
        "tokenizer",
    ]
    few = ["training.max_steps=6", "data.test={}"]
    done = commands("train", config, *few, "--output", run)
    assert done.status == 0, done.err
    assert "there is none yet" not in done.err  # tokenizer and corpus were there
    assert commands("train", config, *few, "--output", run.parent / "other").status == 0
    name = "checkpoints/last/model.safetensors"
    assert (run / name).read_bytes() == (run.parent / "other" / name).read_bytes()
    refused = commands("train", config, *few, "--find-lr", "--output", run)
    assert refused.status == 2
    assert "this run has been trained already" in refused.err


def test_json(commands: Commands, tmp_path: Path) -> None:
    config = write_config(tmp_path, {"training.accumulate": 2, "training.ema": 0.9})
    done = commands("train", config, "--find-lr", "--json", "--output", tmp_path / "run")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert Path(found["plot"]).is_file()
    assert json.loads(Path(found["record"]).read_text(encoding="utf-8"))["lowest"] == found["lowest"]
    assert found["learning_rate"] == pytest.approx(found["lowest"] / 10, rel=0.05)


def test_find_lr_and_resume_exclude_one_another(commands: Commands, config: Path, tmp_path: Path) -> None:
    done = commands("train", config, "--find-lr", "--resume", "--output", tmp_path / "run")
    assert done.status == 2
    assert "--find-lr and --resume: choose one" in done.err
    assert not (tmp_path / "run").exists()


def test_a_model_that_cannot_learn_is_an_error_with_a_plot(config: Path, tmp_path: Path) -> None:
    overrides = {"training.freeze": ["*embedding*", "encoder*", "bridge*", "decoder*", "output.weight"]}
    with pytest.raises(TrainingError, match=r"the loss did not fall at any learning rate from 1e-07 to 10 \(see .*png"):
        find_learning_rate(config, {**overrides, "training.optimizer.kind": "sgd"}, output=tmp_path / "run", steps=3)
    assert (tmp_path / "run" / "find-lr.png").is_file()
    assert record_of(tmp_path / "run")["suggestion"] is None


def test_one_process_is_enough(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        find_learning_rate(config, output=tmp_path / "run")


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_sweep_of_no_two_rates_is_refused(config: Path, tmp_path: Path, steps: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 2 steps, not {steps}"):
        find_learning_rate(config, output=tmp_path / "run", steps=steps)
    assert not (tmp_path / "run").exists()
