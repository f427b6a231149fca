"""The verb that translates: ``translate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import BeamSize, Device, RunFolder
from seq2seq_attn.errors import ConfigError


def translate(
    run: RunFolder,
    source: Annotated[
        Optional[Path], typer.Option("--source", help="One sentence per line. [default: standard input]")
    ] = None,
    output: Annotated[
        Optional[Path], typer.Option("--output", help="One translation per line. [default: standard output]")
    ] = None,
    beam_size: BeamSize = None,
    n_best: Annotated[int, typer.Option("--n-best", help="Translations per sentence, one line each.")] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a tab before each translation.")] = False,
    alignments: Annotated[
        Optional[Path], typer.Option("--alignments", help="Write word alignments here, in Pharaoh format.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Translate line by line: line in, line out, in order, also in a pipe."""
    from seq2seq_attn.experiment.stream import translate_stream
    from seq2seq_attn.translation import Translator

    if n_best < 1:
        raise ConfigError(f"--n-best is {n_best}, but it must be at least 1")
    translator = Translator.load(run, device=device)
    if n_best > 1 and beam_size is None:
        beam_size = max(n_best, translator.decoding.beam_size)
    translate_stream(
        translator,
        source=source,
        output=output,
        alignments=alignments,
        beam_size=beam_size,
        n_best=n_best,
        with_scores=scores,
    )
    sys.stdout.flush()
