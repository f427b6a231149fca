"""The verb that looks for what is wrong: ``doctor``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seq2seq_attn.cli.options import Device, Json, RunFolder
from seq2seq_attn.errors import ConfigError


def doctor(
    run: RunFolder,
    sentences: Annotated[
        int, typer.Option("--sentences", help="Validation sentences to translate and look at; 0 for none.")
    ] = 200,
    device: Device = "auto",
    json_output: Json = False,
) -> None:
    """Say what is likely wrong with a run: each finding with its evidence and its mend."""
    if sentences < 0:
        raise ConfigError(f"--sentences is {sentences}, but it must be 0 or more")
    from seq2seq_attn.experiment.doctor import examine, format_examination

    found = examine(run, sentences=sentences, device=device)
    typer.echo(json.dumps(found.to_dict(), ensure_ascii=False) if json_output else format_examination(found))
