"""The verb that shows what is in a run: ``info``."""

from __future__ import annotations

import json

import typer

from seq2seq_attn.cli.options import Json, RunFolder


def info(run: RunFolder, json_output: Json = False) -> None:
    """Show what is in a run: configuration, size, checkpoints and scores."""
    from seq2seq_attn.experiment.info import describe_run, format_run

    found = describe_run(run)
    typer.echo(json.dumps(found, ensure_ascii=False) if json_output else format_run(found))
