"""The verb that links words: ``align``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from seq2seq_attn.cli.options import Device, Json, RunFolder
from seq2seq_attn.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from seq2seq_attn.alignment import Links
    from seq2seq_attn.evaluation.alignment_error import AlignmentErrors

FORMATS = ("pharaoh", "naacl")


Source = Annotated[Path, typer.Option("--source", help="One sentence per line.")]
Target = Annotated[Path, typer.Option("--target", help="Their translations.")]
Reference = Annotated[
    Optional[Path], typer.Option("--reference", help="Gold alignments to compare with, in Pharaoh or NAACL format.")
]
Format = Annotated[
    str, typer.Option("--format", help="pharaoh: a line 0-0 1-2 per pair; naacl: a line 1 1 1 per link.")
]
OneBased = Annotated[
    bool, typer.Option("--one-based", help="Count words from 1 in Pharaoh format, in the reference, too.")
]
Method = Annotated[
    Optional[str],
    typer.Option(
        "--symmetrize",
        metavar="METHOD",
        help="Put two directions together: intersection, union, grow-diag, grow-diag-final or "
        "grow-diag-final-and. [default with --reverse: grow-diag]",
    ),
]
Reverse = Annotated[
    Optional[Path],
    typer.Option(
        "--reverse",
        metavar="RUN",
        help="A run from target to source, for the second direction. [default: RUN's own weights, read the other way]",
    ),
]


def align(
    run: RunFolder,
    source: Source,
    target: Target,
    reference: Reference = None,
    output_format: Format = "pharaoh",
    one_based: OneBased = False,
    symmetrize: Method = None,
    reverse: Reverse = None,
    device: Device = "auto",
    json_output: Json = False,
) -> None:
    """Link the words of given translations to their sources: a line each, such as 0-0 1-2."""
    from seq2seq_attn.evaluation.alignment_error import alignment_errors
    from seq2seq_attn.experiment.align import Aligner, align_lines, check_pairs, read_pairs

    if output_format not in FORMATS:
        raise UserError(
            f"no format is called {output_format!r}{did_you_mean(output_format, FORMATS)} "
            f"(there are: {', '.join(FORMATS)})"
        )
    first = int(one_based)
    total = check_pairs(source, target, reference, first=first)
    aligner = Aligner.open(run, method=symmetrize, reverse=reverse, device=device)
    errors = alignment_errors([], [])
    pairs = read_pairs(source, target, reference, first=first)
    for number, (links, gold) in enumerate(align_lines(aligner, pairs, total=total), start=1):
        found = None if gold is None else alignment_errors([links], [gold])
        if found is not None:
            errors += found
        if json_output:
            typer.echo(_json_line(links, found, first))
        else:
            typer.echo(_text(links, output_format, number, first), nl=False)
    if reference is None:
        return
    if json_output:
        typer.echo(json.dumps({"total": errors.to_dict()}))
    typer.echo(errors.describe(), err=True)


def _text(links: Links, output_format: str, sentence: int, first: int) -> str:
    from seq2seq_attn.alignment import naacl, pharaoh

    return naacl(links, sentence=sentence) if output_format == "naacl" else pharaoh(links, first=first) + "\n"


def _json_line(links: Links, found: AlignmentErrors | None, first: int) -> str:
    record: dict[str, object] = {"links": [[source + first, target + first] for source, target in links]}
    if found is not None:
        record |= {name: value for name, value in found.to_dict().items() if name != "sentences"}
    return json.dumps(record)
