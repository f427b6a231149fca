"""The verbs that make a run: ``train`` and ``prepare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import ConfigFile, Json, Overrides

Output = Annotated[
    Optional[Path], typer.Option("--output", help="The run folder. [default: runs/<name>]", show_default=False)
]


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    output: Output = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest whole checkpoint.")] = False,
    json_output: Json = False,
) -> None:
    """Train: from raw text to the best checkpoint and its test scores."""
    from seq2seq_attn.experiment.train import train as run_training

    run = run_training(config, overrides or [], output=output, resume=resume)
    if json_output:
        scores = {
            split: {metric: score.to_dict() for metric, score in found.items()} for split, found in run.scores.items()
        }
        typer.echo(json.dumps({"run": str(run.folder), "step": run.step, "reason": run.reason, "scores": scores}))
        return
    for split, found in run.scores.items():
        for score in found.values():
            typer.echo(f"{split}  {score.text}")
    typer.echo(str(run.folder))


def prepare(config: ConfigFile, overrides: Overrides = None, output: Output = None) -> None:
    """Make only the tokenizer and the encoded corpus; training will find them."""
    from seq2seq_attn.config import load_config
    from seq2seq_attn.experiment.lock import RunLock
    from seq2seq_attn.experiment.run_folder import check_run_folder
    from seq2seq_attn.experiment.train import prepare_run, run_folder_of

    loaded = load_config(config, overrides or [])
    folder = run_folder_of(loaded, output)
    check_run_folder(folder, loaded, resume=False)
    with RunLock(folder):
        prepare_run(loaded, folder)
    typer.echo(str(folder))
