"""The verbs that show something: ``attend`` and ``info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_attn.cli.options import BeamSize, Device, Json, RunFolder
from seq2seq_attn.errors import UserError


def attend(
    run: RunFolder,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A source sentence.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", help="A .png or .svg file.", show_default=False)],
    beam_size: BeamSize = None,
    device: Device = "auto",
) -> None:
    """Draw where the decoder looked while it translated one sentence."""
    from seq2seq_attn.files import check_output
    from seq2seq_attn.translator import Translator
    from seq2seq_attn.visualization.heatmap import draw_attention
    from seq2seq_attn.visualization.picture import check_picture_path

    check_picture_path(output)
    check_output(output)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("the sentence is not valid UTF-8") from None
    if not text.strip():
        raise UserError("the sentence is empty, so there is no attention to draw")
    translator = Translator.load(run, device=device)
    if not translator.model.attends:
        raise UserError(f"{run}: this model was trained with attention 'none'; it looks nowhere")
    found = translator.translate([text], beam_size=beam_size)[0]
    draw_attention(found.attention, found.source_tokens, found.tokens, output)
    typer.echo(found.text)


def info(run: RunFolder, json_output: Json = False) -> None:
    """Show what is in a run: configuration, size, checkpoints and scores."""
    from seq2seq_attn.experiment.info import describe_run, format_run

    found = describe_run(run)
    typer.echo(json.dumps(found, ensure_ascii=False) if json_output else format_run(found))
