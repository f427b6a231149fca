"""The verb ``average``: a run like any other, whose parameters are the mean of others."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from command_server import Commands
from safetensors.numpy import load_file, save_file
from tiny import copy_run

from seq2seq_attn import load_checkpoint

STEPS = ("step-00000060", "step-00000120", "step-00000160")


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / STEPS[step]


def parameters(folder: Path) -> dict[str, Any]:
    return dict(load_file(folder / "model.safetensors"))


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the parameters of a checkpoint as if it had been written so."""
    tensors = parameters(folder)
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "checkpoint.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["checksums"]["model.safetensors"] = sha256(folder / "model.safetensors")
    path.write_text(json.dumps(info), encoding="utf-8")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_mean_is_that_of_a_plain_loop(commands: Commands, trained: Path, tmp_path: Path) -> None:
    done = commands("average", *(checkpoint(trained, step) for step in range(3)), "--output", tmp_path / "mean")
    assert (done.status, done.out) == (0, f"{tmp_path / 'mean'}\n"), done.err
    inputs = [parameters(checkpoint(trained, step)) for step in range(3)]
    found = parameters(tmp_path / "mean" / "checkpoints" / "best")
    assert found.keys() == inputs[0].keys()
    for name, tensor in found.items():
        assert tensor.dtype == numpy.float32
        columns = zip(*(one[name].ravel().tolist() for one in inputs), strict=True)
        means = [numpy.float32((first + second + third) / 3) for first, second, third in columns]
        assert tensor.ravel().tolist() == means, name
    moved = [numpy.abs(found[name] - inputs[2][name]).max() for name in found]
    assert max(moved) > 0.01


def test_the_mean_of_a_checkpoint_with_itself_is_itself(commands: Commands, trained: Path, tmp_path: Path) -> None:
    same = checkpoint(trained, 1)
    done = commands("average", same, same, same, "--output", tmp_path / "mean")
    assert done.status == 0, done.err
    found, wanted = parameters(checkpoint(tmp_path / "mean", 1)), parameters(same)
    assert {name: tensor.tobytes() for name, tensor in found.items()} == {
        name: tensor.tobytes() for name, tensor in wanted.items()
    }


def test_it_is_a_run_like_any_other(commands: Commands, trained: Path, tmp_path: Path) -> None:
    """Every verb opens it, wherever it is moved; and it has learned what the checkpoints have."""
    assert commands("average", trained, "--last", 2, "--output", tmp_path / "made").status == 0
    run = (tmp_path / "made").rename(tmp_path / "mean")
    opened = load_checkpoint(run)
    assert (opened.step, opened.metrics) == (160, {})
    assert opened.run == run
    assert load_checkpoint(run, checkpoint="last").folder == load_checkpoint(checkpoint(run, 2)).folder == opened.folder
    source = tmp_path / "text.en"
    source.write_text("one two\nnine eight seven\n", encoding="utf-8")
    assert commands("translate", run, "--source", source).out == "dois um\nsete oito nove\n"
    scores = [
        json.loads(commands("evaluate", one, "--split", "validation", "--json").out)[0]["scores"]
        for one in (run, checkpoint(trained, 1), checkpoint(trained, 2))
    ]
    mean, *parts = (next(iter(one.values()))["score"] for one in scores)
    assert mean > min(parts) - 1
    assert min(parts) > 50
    text = commands("info", run).out
    assert "the mean of run/step-00000120, run/step-00000160" in text
    assert json.loads(commands("info", run, "--json").out)["checkpoints"][0]["averaged"][0]["step"] == 120
    assert commands("doctor", run, "--sentences", 5).status == 0


def test_the_record_says_what_was_averaged(commands: Commands, trained: Path, tmp_path: Path) -> None:
    done = commands("average", checkpoint(trained, 2), trained, "--output", tmp_path / "mean", "--json")
    best = (trained / "checkpoints" / "best").resolve()
    assert str(checkpoint(trained, 2)) in done.err
    said = json.loads(done.out)
    assert [Path(one).name for one in said["averaged"]] == [STEPS[2], best.name]
    folder = Path(said["checkpoint"])
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.json", "model.safetensors"]
    info = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    assert info["checksums"] == {"model.safetensors": sha256(folder / "model.safetensors")}
    for one, wanted in zip(info["averaged"], (checkpoint(trained, 2), best), strict=True):
        assert one["checkpoint"] == f"run/{wanted.name}"
        assert one["checksum"] == sha256(wanted / "model.safetensors")
        assert one["scores"] == json.loads((wanted / "checkpoint.json").read_text(encoding="utf-8"))["scores"]


def scored(run: Path, scores: dict[int, float | None]) -> None:
    for step, bleu in scores.items():
        path = checkpoint(run, step) / "checkpoint.json"
        info = json.loads(path.read_text(encoding="utf-8"))
        info["scores"] = None if bleu is None else {"bleu": bleu, "loss": bleu}
        path.write_text(json.dumps(info), encoding="utf-8")


@pytest.mark.parametrize(
    ("metric", "option", "wanted"),
    [
        ("bleu", ("--last", 1), [2]),
        ("bleu", ("--last", 2), [1, 2]),
        ("bleu", ("--last", 3), [0, 1, 2]),
        ("bleu", ("--best", 1), [0]),
        ("bleu", ("--best", 2), [0, 2]),
        ("loss", ("--best", 2), [1, 2]),
    ],
)
def test_last_and_best(commands: Commands, run: Path, metric: str, option: Any, wanted: list[int]) -> None:
    scored(run, {0: 30.0, 1: 10.0, 2: 20.0})
    config = run / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert "validation_metric: bleu" in text
    config.write_text(text.replace("validation_metric: bleu", f"validation_metric: {metric}"), encoding="utf-8")
    done = commands("average", run, *option, "--output", run.parent / "mean", "--json")
    assert done.status == 0, done.err
    assert sorted(Path(one).name for one in json.loads(done.out)["averaged"]) == [STEPS[step] for step in wanted]


def two_of_a_kind(run: Path) -> Path:
    return copy_run(run, run.parent / "other")


def with_config(old: str, new: str) -> Callable[[Path, Path], None]:
    def edit(run: Path, other: Path) -> None:
        path = other / "config.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def first_name(run: Path) -> str:
    return min(parameters(checkpoint(run, 0)))


def reshape(run: Path, other: Path) -> None:
    change(checkpoint(other, 0), lambda tensors: tensors.update({first_name(run): numpy.zeros((3, 5), numpy.float32)}))


def halve(run: Path, other: Path) -> None:
    name = first_name(run)
    change(checkpoint(other, 0), lambda tensors: tensors.update({name: tensors[name].astype(numpy.float16)}))


def lose(run: Path, other: Path) -> None:
    change(checkpoint(other, 0), lambda tensors: tensors.pop(first_name(run)))


def add(run: Path, other: Path) -> None:
    change(checkpoint(other, 0), lambda tensors: tensors.update({"extra": numpy.zeros(2, numpy.float32)}))


def count_otherwise(run: Path, other: Path) -> None:
    for one, last in ((run, 2), (other, 3)):
        change(checkpoint(one, 0), lambda tensors, last=last: tensors.update({"extra": numpy.array([1, last])}))


def cut(run: Path, other: Path) -> None:
    os.truncate(checkpoint(other, 0) / "model.safetensors", 1000)


def retokenize(run: Path, other: Path) -> None:
    path = next(path for path in sorted((other / "tokenizer").rglob("*")) if path.is_file())
    path.write_bytes(path.read_bytes() + b"\n")


APART: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "shape": (reshape, "NAME is (3, 5) float32 here and ("),
    "kind": (halve, " float16 here and ("),
    "missing": (lose, "NAME is there but not here"),
    "more": (add, "extra is here but not there"),
    "whole numbers": (count_otherwise, "extra holds (2,) int64, of which there is no mean, and not the same ones"),
    "damaged": (cut, "model.safetensors: its content does not match its checksum"),
    "network": (with_config("bridge: mean", "bridge: last"), "model.bridge is 'last' here and 'mean' there"),
    "language": (with_config("target_language: pt", "target_language: de"), "data.target_language is 'de' here"),
    "tokenizer": (retokenize, "their tokenizers differ in"),
}


@pytest.mark.parametrize("difference", list(APART))
def test_what_does_not_go_together_is_refused(commands: Commands, run: Path, difference: str) -> None:
    edit, message = APART[difference]
    other = two_of_a_kind(run)
    edit(run, other)
    done = commands("average", checkpoint(run, 0), checkpoint(other, 0), "--output", run.parent / "mean")
    assert done.status == 2
    assert str(checkpoint(other, 0)) in done.err
    assert message.replace("NAME", first_name(run)) in done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in run.parent.iterdir()) == ["other", "run"], "nothing is left behind"


def test_runs_that_differ_in_training_only_go_together(commands: Commands, run: Path) -> None:
    other = two_of_a_kind(run)
    with_config("seed: 1", "seed: 2")(run, other)
    with_config("learning_rate: 0.01", "learning_rate: 0.02")(run, other)
    with_config("source_vectors: null", "source_vectors: glove.6B.50d")(run, other)
    with_config("reuse: null", "reuse: runs/first")(run, other)
    done = commands("average", run, other, "--output", run.parent / "mean")
    assert done.status == 0, done.err
    assert "of different runs" in done.err
    assert "of different runs" not in commands("average", run, "--last", 2, "--output", run.parent / "own").err


WRONG: dict[str, tuple[tuple[Any, ...], str]] = {
    "both": (("RUN", "--last", 2, "--best", 2), "--last and --best: choose one"),
    "none": (("RUN", "--last", 0), "--last is 0, but it must be 1 or more"),
    "too many": (("RUN", "--last", 4), "has 3 checkpoints, but --last asks for 4"),
    "too many validated": (("RUN", "--best", 3), "has 2 validated checkpoints, but --best asks for 3"),
    "two runs": (("RUN", "RUN", "--last", 2), "name one run folder with it"),
    "no run": (("RUN/checkpoints/best", "--best", 2), "name one run folder with it"),
    "nothing there": (("RUN/nowhere",), "RUN/nowhere: no such run folder"),
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_wrong_requests(commands: Commands, run: Path, wrong: str) -> None:
    scored(run, {1: None})
    words, message = WRONG[wrong]
    arguments = [str(word).replace("RUN", str(run)) for word in words]
    done = commands("average", *arguments, "--output", run.parent / "mean")
    assert done.status == 2
    assert message.replace("RUN", str(run)) in done.err
    assert not (run.parent / "mean").exists()


def test_what_is_there_is_never_replaced(commands: Commands, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert commands("average", run, "--output", tmp_path / "empty").status == 0
    before = sorted(tmp_path.rglob("*"))
    for output, message in (
        ("empty", "holds files already"),
        ("file", "is a file"),
        ("run", "holds files already"),
        ("run/checkpoints/step-00000999", "is among the checkpoints of a run"),
    ):
        done = commands("average", run, "--output", tmp_path / output)
        assert (done.status, message in done.err) == (2, True), done.err
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_no_training_goes_on_from_a_mean(commands: Commands, run: Path, resume: tuple[str, ...]) -> None:
    mean = run.parent / "mean"
    assert commands("average", run, "--last", 3, "--output", mean).status == 0
    before = {path: path.stat().st_mtime_ns for path in mean.rglob("*")}
    done = commands("train", mean / "config.yaml", "--output", mean, *resume)
    assert done.status == 2
    assert "holds the average of 3 checkpoints" in done.err
    assert "training cannot go on here" in done.err
    assert {path: path.stat().st_mtime_ns for path in mean.rglob("*")} == before


def test_a_mean_of_means_after_its_source_is_gone(commands: Commands, run: Path, tmp_path: Path) -> None:
    """It needs nothing of the run that it was made of, and can be averaged itself."""
    assert commands("average", run, "--last", 2, "--output", tmp_path / "one").status == 0
    assert commands("average", run, "--best", 1, "--output", tmp_path / "two").status == 0
    shutil.rmtree(run)
    assert commands("average", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "both").status == 0
    models = [load_checkpoint(tmp_path / name).model.state_dict() for name in ("one", "two", "both")]
    for name, both in models[2].items():
        torch.testing.assert_close(both, (models[0][name] + models[1][name]) / 2, rtol=0, atol=1e-6)
