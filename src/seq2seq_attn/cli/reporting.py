"""The verb that writes a page about a run: ``report``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import BeamSize, Device, RunFolder
from seq2seq_attn.errors import ConfigError


def report(
    run: RunFolder,
    output: Annotated[
        Optional[Path],
        typer.Option("--output", metavar="DIR", help="The folder of the report. [default: RUN/report]"),
    ] = None,
    split: Annotated[
        Optional[list[str]],
        typer.Option("--split", help="A test set of the configuration, or validation. [default: all test sets]"),
    ] = None,
    sentences: Annotated[
        int,
        typer.Option(
            "--sentences", help="Validation sentences on which the attention of every checkpoint is compared."
        ),
    ] = 100,
    beam_size: BeamSize = None,
    device: Device = "auto",
) -> None:
    """Write one page about a run: configuration, learning curves, scores, translations, attention."""
    if sentences < 0:
        raise ConfigError(f"--sentences is {sentences}, but it must be 0 or more")
    from seq2seq_attn.cli.searching import decoding_of
    from seq2seq_attn.experiment.run_report import ReportOptions, report_whole_run

    options = ReportOptions(
        splits=split or (),
        search=functools.partial(decoding_of, options={} if beam_size is None else {"beam_size": beam_size}),
        sentences=sentences,
        device=device,
        say=lambda line: typer.echo(line, err=True),
    )
    typer.echo(report_whole_run(run, output, options))
