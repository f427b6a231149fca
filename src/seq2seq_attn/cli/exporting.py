"""The verb that writes a model for other runtimes: ``export``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_attn.cli.options import RunFolder


class Format(str, Enum):
    """What is written."""

    ONNX = "onnx"
    WEB = "web"


def export(
    run: RunFolder,
    format: Annotated[
        Format,
        typer.Option(
            "--format", help="onnx: a folder that onnxruntime translates with; web: one that translates in the browser."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="The folder to make.", show_default=False)],
    int8: Annotated[
        bool, typer.Option("--int8", help="Store matrices as whole numbers of 8 bits: a quarter of the size.")
    ] = False,
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="best, last or step-...; only for a run folder.")
    ] = "best",
) -> None:
    """Write a trained model for other runtimes: ONNX graphs with tokenizer and manifest, or a page around them."""
    if format is Format.WEB:
        from seq2seq_attn.export.web import write_web as write
    else:
        from seq2seq_attn.export.folder import export_onnx as write

    folder = write(run, output, int8=int8, checkpoint=checkpoint, report=lambda message: typer.echo(message, err=True))
    typer.echo(str(folder))
