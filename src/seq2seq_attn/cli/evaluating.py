"""The verbs that judge a run: ``evaluate``."""

from __future__ import annotations

import json
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
    from seq2seq_attn.translation import Translator

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
