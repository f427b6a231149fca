"""The verbs that make a run: ``train`` and ``prepare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from seq2seq_attn.cli.options import ConfigFile, Json, Overrides
from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.experiment.train import Run

Output = Annotated[
    Optional[Path], typer.Option("--output", help="The run folder. [default: runs/<name>]", show_default=False)
]


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    output: Output = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest whole checkpoint.")] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Train nothing: try all learning rates in a short sweep, suggest one.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Train: from raw text to the best checkpoint and its test scores."""
    if find_lr:
        _find_rate(config, overrides or [], output, resume=resume, json_output=json_output)
        return
    from seq2seq_attn.experiment.processes import is_first_process
    from seq2seq_attn.experiment.train import train as run_training

    run = run_training(config, overrides or [], output=output, resume=resume)
    if not is_first_process():
        return
    show_run(run, as_json=json_output)


def show_run(run: Run, *, as_json: bool) -> None:
    """Print the scores of a finished training, and where it is."""
    if as_json:
        scores = {
            split: {metric: score.to_dict() for metric, score in found.items()} for split, found in run.scores.items()
        }
        typer.echo(json.dumps({"run": str(run.folder), "step": run.step, "reason": run.reason, "scores": scores}))
        return
    for split, found in run.scores.items():
        for score in found.values():
            typer.echo(f"{split}  {score.text}")
    typer.echo(str(run.folder))


def _find_rate(config: Path, overrides: list[str], output: Path | None, *, resume: bool, json_output: bool) -> None:
    if resume:
        raise ConfigError("--find-lr and --resume: choose one; the sweep begins with fresh parameters and keeps none")
    from seq2seq_attn.experiment.find_rate import PLOT, RECORD, find_learning_rate

    found = find_learning_rate(config, overrides, output=output)
    curve = found.curve
    ending = "the loss diverged" if curve.diverged else "the loss never diverged"
    typer.echo(
        f"{len(curve.rates)} steps from {curve.rates[0]:.1g} to {curve.rates[-1]:.2g}, where {ending}; steepest at "
        f"{curve.steepest:.2g}, lowest at {curve.lowest:.2g}; see {found.folder / PLOT}\n"
        f"use it: seq2seq-attn train {config} training.optimizer.learning_rate={found.rate:g}",
        err=True,
    )
    if json_output:
        content = {
            "run": str(found.folder),
            "learning_rate": found.rate,
            "steepest": curve.steepest,
            "lowest": curve.lowest,
            "diverged": curve.diverged,
            "plot": str(found.folder / PLOT),
            "record": str(found.folder / RECORD),
        }
        typer.echo(json.dumps(content))
        return
    typer.echo(f"training.optimizer.learning_rate={found.rate:g}")


def prepare(config: ConfigFile, overrides: Overrides = None, output: Output = None) -> None:
    """Make only the tokenizer and the encoded corpus; training will find them."""
    from seq2seq_attn.config import load_config
    from seq2seq_attn.experiment.lock import RunLock
    from seq2seq_attn.experiment.preparing import prepare_run
    from seq2seq_attn.experiment.run_folder import check_run_folder
    from seq2seq_attn.experiment.train import run_folder_of

    loaded = load_config(config, overrides or [])
    folder = run_folder_of(loaded, output)
    check_run_folder(folder, loaded, resume=False)
    with RunLock(folder):
        prepare_run(loaded, folder)
    typer.echo(str(folder))
