"""The verb that links words: ``align``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import Device, RunFolder


def align(
    run: RunFolder,
    source: Annotated[Path, typer.Option("--source", help="One sentence per line.")],
    target: Annotated[Path, typer.Option("--target", help="Their translations.")],
    reference: Annotated[
        Optional[Path], typer.Option("--reference", help="Gold alignments to compare with, in Pharaoh format.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Link the words of given translations to their sources: a line each, such as 0-0 1-2."""
    from seq2seq_attn.alignment import pharaoh
    from seq2seq_attn.evaluation.alignment_error import alignment_errors
    from seq2seq_attn.experiment.align import align_lines, read_pairs
    from seq2seq_attn.translation import Translator

    pairs = read_pairs(source, target, reference)
    translator = Translator.load(run, device=device)
    found = []
    for links in align_lines(translator, pairs):
        typer.echo(pharaoh(links))
        found.append(links)
    if reference is not None:
        typer.echo(alignment_errors(found, [gold for _, gold in pairs if gold is not None]).describe(), err=True)
