"""The verbs that use a run: ``translate``, ``align`` and ``evaluate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from seq2seq_attn.cli.options import BeamSize, Device, Json, RunFolder
from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.experiment.evaluate import Evaluation


def evaluate(
    run: RunFolder,
    split: Annotated[
        Optional[list[str]],
        typer.Option("--split", help="A test set of the configuration, or validation. [default: all test sets]"),
    ] = None,
    source: Annotated[Optional[Path], typer.Option("--source", help="A test set of your own: its source.")] = None,
    reference: Annotated[Optional[Path], typer.Option("--reference", help="Its reference translations.")] = None,
    beam_size: BeamSize = None,
    metric: Annotated[Optional[list[str]], typer.Option("--metric", help="bleu, chrf, chrf++ or ter.")] = None,
    by_length: Annotated[bool, typer.Option("--by-length", help="Scores by source length, too.")] = False,
    device: Device = "auto",
    json_output: Json = False,
) -> None:
    """Translate test sets and score them with sacreBLEU; signatures are printed."""
    from seq2seq_attn.checkpoint import load_checkpoint
    from seq2seq_attn.experiment.evaluate import evaluate as run_evaluation
    from seq2seq_attn.experiment.evaluate import read_files, read_split
    from seq2seq_attn.translator import Translator

    if (source is None) != (reference is None):
        raise ConfigError("--source and --reference go together: one file of sentences, one of their translations")
    loaded = load_checkpoint(run, device=device)
    translator = Translator(loaded.model, loaded.tokenizer, loaded.config.decoding)
    if source is not None and reference is not None:
        if split:
            raise ConfigError("give either --split or --source with --reference, not both")
        sets = {source.name: read_files(source, reference)}
    else:
        names = split or list(loaded.config.data.test) or ["validation"]
        sets = {name: read_split(loaded.config, name) for name in names}
    done = [
        run_evaluation(translator, pairs, split=name, beam_size=beam_size, metrics=metric or ["bleu"])
        for name, pairs in sets.items()
    ]
    if source is None and run.resolve() == loaded.run.resolve():
        for evaluation in done:
            evaluation.write(loaded.run / "evaluation")
    if json_output:
        typer.echo(json.dumps([_as_dict(evaluation, by_length) for evaluation in done], ensure_ascii=False))
        return
    for evaluation in done:
        for score in evaluation.scores.values():
            typer.echo(f"{evaluation.split}  {score.text}")
        if by_length:
            from seq2seq_attn.evaluation.by_length import format_by_length

            typer.echo(format_by_length(evaluation.by_length()))


def _as_dict(evaluation: Evaluation, by_length: bool) -> dict[str, object]:
    found = evaluation.to_dict()
    if by_length:
        found["by_length"] = [bucket.to_dict() for bucket in evaluation.by_length()]
    return found


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
    from seq2seq_attn.translator import Translator

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
    from seq2seq_attn.translator import Translator

    pairs = read_pairs(source, target, reference)
    translator = Translator.load(run, device=device)
    found = []
    for links in align_lines(translator, pairs):
        typer.echo(pharaoh(links))
        found.append(links)
    if reference is not None:
        typer.echo(alignment_errors(found, [gold for _, gold in pairs if gold is not None]).describe(), err=True)
