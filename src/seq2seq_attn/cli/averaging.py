"""The verb that makes one model of several checkpoints: ``average``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import Json


def average(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="Checkpoint folders, or run folders for their best ones; one run folder with --last or --best.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="The run folder to make.", show_default=False)],
    last: Annotated[
        Optional[int], typer.Option("--last", help="Average so many of the newest checkpoints of the run.")
    ] = None,
    best: Annotated[
        Optional[int], typer.Option("--best", help="Average so many of the best checkpoints of the run.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Average the parameters of checkpoints into a new run."""
    from seq2seq_attn.experiment.average import average_checkpoints, choose_checkpoints

    chosen = choose_checkpoints(checkpoints, last=last, best=best)
    folder = average_checkpoints(chosen, output, lambda message: typer.echo(message, err=True))
    if json_output:
        typer.echo(
            json.dumps({"run": str(output), "checkpoint": str(folder), "averaged": [str(one) for one in chosen]})
        )
        return
    typer.echo(str(output))
