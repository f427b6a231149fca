"""The verb that trains one model on what several write: ``distill``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import ConfigFile, Json, Overrides
from seq2seq_attn.cli.training import show_run


def distill(
    config: ConfigFile,
    overrides: Overrides = None,
    teacher: Annotated[
        Optional[list[str]],
        typer.Option("--teacher", metavar="key.path=value", help="Of the teachers alone; may be repeated."),
    ] = None,
    forward: Annotated[int, typer.Option("--forward", help="Teachers that translate as the student will.")] = 2,
    backward: Annotated[int, typer.Option("--backward", help="Teachers that translate the other way.")] = 2,
    jobs: Annotated[
        Optional[int],
        typer.Option(
            "--jobs", help="Teachers at a time. [default: one for each core, or one on a GPU]", show_default=False
        ),
    ] = None,
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output",
            help="The folder of all models; the last is in student. [default: runs/<name>]",
            show_default=False,
        ),
    ] = None,
    json_output: Json = False,
) -> None:
    """Train teachers, then a student on the text and on their translations of it; started again it goes on."""
    from seq2seq_attn.distillation.distill import distill as run_distillation

    run = run_distillation(
        config,
        overrides or [],
        teacher=teacher or [],
        forward=forward,
        backward=backward,
        jobs=jobs,
        output=output,
    )
    show_run(run, as_json=json_output)
