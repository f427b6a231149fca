"""The verbs that show something: ``attend`` and ``info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import BeamSize, Device, Json, RunFolder
from seq2seq_attn.errors import UserError


def attend(
    run: RunFolder,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A source sentence.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", help="A .png or .svg file.", show_default=False)],
    part: Annotated[
        Optional[str],
        typer.Option("--part", help="cross (target at source), encoder or decoder: head by head. [default: cross]"),
    ] = None,
    layer: Annotated[
        Optional[int], typer.Option("--layer", help="One layer, counted from 1, head by head. [default: all]")
    ] = None,
    head: Annotated[Optional[int], typer.Option("--head", help="One head, counted from 1. [default: all]")] = None,
    target: Annotated[
        Optional[str], typer.Option("--target", help="A translation to look at instead of the model's own.")
    ] = None,
    beam_size: BeamSize = None,
    device: Device = "auto",
) -> None:
    """Draw where the model looked while it translated one sentence.

    Without --part, --layer and --head: one matrix, of a Transformer the mean over the heads of its alignment layer.
    """
    from seq2seq_attn.cli.maps import choose_maps, draw_maps
    from seq2seq_attn.files import check_output
    from seq2seq_attn.translation import Translator
    from seq2seq_attn.visualization.heatmap import draw_attention
    from seq2seq_attn.visualization.picture import check_picture_path

    check_picture_path(output)
    check_output(output)
    _check_text(text, "sentence")
    if target is not None:
        _check_text(target, "target")
    translator = Translator.load(run, device=device)
    if not translator.attends:
        raise UserError(f"{run}: this model was trained with attention 'none'; it looks nowhere")
    found = None if target is not None else translator.translate([text], beam_size=beam_size)[0]
    chosen = [option for option in (part, layer, head) if option is not None]
    if found is not None and not chosen:
        draw_attention(found.attention, found.source_tokens, found.tokens, output)
    else:
        maps = translator.attention_maps(text, found or target)
        if chosen:
            draw_maps(choose_maps(maps, part=part, layer=layer, head=head), output)
        else:
            draw_attention(maps[0].weights, maps[0].columns, maps[0].rows, output)
    if found is not None:
        typer.echo(found.text)


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"the {what} is not valid UTF-8") from None
    if not text.strip():
        raise UserError(f"the {what} is empty, so there is no attention to draw")


def info(run: RunFolder, json_output: Json = False) -> None:
    """Show what is in a run: configuration, size, checkpoints and scores."""
    from seq2seq_attn.experiment.info import describe_run, format_run

    found = describe_run(run)
    typer.echo(json.dumps(found, ensure_ascii=False) if json_output else format_run(found))
