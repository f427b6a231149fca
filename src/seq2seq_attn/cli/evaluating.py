"""The verbs that judge: ``evaluate`` and ``compare``."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from seq2seq_attn.cli import searching
from seq2seq_attn.cli.options import Device, Json
from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.config.schema import DecodingConfig
    from seq2seq_attn.experiment.behavior import Behavior
    from seq2seq_attn.experiment.evaluate import Evaluation

Run = Annotated[
    Optional[str],
    typer.Argument(
        metavar="RUN",
        help="A run folder, a checkpoint folder inside one, or several with commas between them: an ensemble.",
        show_default=False,
    ),
]
Systems = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...", help="Runs, or files of ready translations; the first is the baseline.", show_default=False
    ),
]
Splits = Annotated[
    Optional[list[str]],
    typer.Option("--split", help="A test set of the configuration, or validation. [default: all test sets]"),
]
Source = Annotated[Optional[Path], typer.Option("--source", help="A test set of your own: its source.")]
References = Annotated[
    Optional[list[Path]],
    typer.Option("--reference", help="Its reference translations; once for each set of references."),
]
Hypothesis = Annotated[
    Optional[Path], typer.Option("--hypothesis", help="Score these translations, instead of making some.")
]
Metrics = Annotated[
    Optional[list[str]],
    typer.Option("--metric", help="bleu, chrf, chrf++, ter or comet; once for each.", show_default=False),
]
Lowercase = Annotated[bool, typer.Option("--lowercase", help="Ignore case.")]
Tokenize = Annotated[str, typer.Option("--tokenize", help="How BLEU splits words: 13a, intl, char, zh, none, ...")]
Resamples = Annotated[int, typer.Option("--resamples", help="Bootstrap samples behind each interval.")]
CometModel = Annotated[
    Optional[str], typer.Option("--comet-model", help="Which COMET. [default: wmt22-comet-da]", show_default=False)
]
Confidence = Annotated[bool, typer.Option("--confidence", help="Give 95 % intervals, too.")]
ByLength = Annotated[bool, typer.Option("--by-length", help="Scores by source length, too.")]
Plots = Annotated[
    Optional[Path],
    typer.Option(
        "--plots",
        metavar="DIR",
        help="Scores by source length, and a plot of them (SET-by-length-METRIC.svg) in a folder.",
        show_default=False,
    ),
]
Report = Annotated[
    Optional[Path],
    typer.Option(
        "--report",
        metavar="DIR",
        help="Write hypotheses, scores with intervals, plots and a page (report.html) into a folder.",
        show_default=False,
    ),
]
Diagnostics = Annotated[
    bool, typer.Option("--diagnostics", help="What the attention was like, too: entropy, coverage, order, ...")
]
Calibration = Annotated[
    bool, typer.Option("--calibration", help="How sure the model is of the reference's tokens, and how right, too.")
]
SEARCH = ("beam_size", "length_penalty", "batch_size", "precision", "decoding")
"""Options that say how translations are searched for; ``--decoding`` has all the others."""


def evaluate(
    context: typer.Context,
    run: Run = None,
    split: Splits = None,
    source: Source = None,
    reference: References = None,
    hypothesis: Hypothesis = None,
    metric: Metrics = None,
    lowercase: Lowercase = False,
    tokenize: Tokenize = "13a",
    confidence: Confidence = False,
    resamples: Resamples = 1000,
    comet_model: CometModel = None,
    by_length: ByLength = False,
    plots: Plots = None,
    diagnostics: Diagnostics = False,
    calibration: Calibration = False,
    report: Report = None,
    beam_size: searching.BeamSize = None,
    length_penalty: searching.LengthPenalty = None,
    batch_size: searching.BatchSize = None,
    precision: searching.Precision = None,
    decoding: searching.Decoding = None,
    device: Device = "auto",
    json_output: Json = False,
) -> None:
    """Translate test sets and score them, with signatures; or score ready translations."""
    from seq2seq_attn.evaluation.metrics import MetricOptions, check_metrics
    from seq2seq_attn.evaluation.metrics.choices import COMET_MODEL
    from seq2seq_attn.experiment.behavior import observe
    from seq2seq_attn.experiment.evaluate import evaluate_file, evaluate_run
    from seq2seq_attn.experiment.splits import choose_sets

    by_length = _check_plots(plots) or by_length
    has_intervals = confidence or report is not None
    options = MetricOptions(lowercase, tokenize, resamples if has_intervals else 0, comet_model or COMET_MODEL)
    metrics = list(dict.fromkeys(metric or (["bleu"] if report is None else ["bleu", "chrf"])))
    check_metrics(metrics, options)
    model = _model(run, hypothesis, diagnostics=diagnostics, calibration=calibration)
    needs_sources = hypothesis is None or by_length
    sets = choose_sets(run, splits=split or (), source=source, references=reference or (), needs_sources=needs_sources)
    if report is not None:
        from seq2seq_attn.experiment.report import check_report, report_run

        check_report(report, [judged.name for judged in sets], metrics)
    if hypothesis is None and run is not None:
        done = evaluate_run(
            run, sets, search=_search(context), metrics=metrics, options=options, device=device, keep=source is None
        )
    elif hypothesis is not None:
        _check_ready(context, [judged.name for judged in sets])
        done = [evaluate_file(hypothesis, sets[0], metrics=metrics, options=options)]
    if report is not None:
        page = report_run(report, model, done, device=device)
        typer.echo(f"the report is {page}", err=True)
    _plot(done, plots)
    behaviors = observe(model, done, diagnostics=diagnostics, calibration=calibration, device=device)
    _show(done, behaviors, by_length=by_length, json_output=json_output)


def compare(
    context: typer.Context,
    systems: Systems,
    split: Splits = None,
    source: Source = None,
    reference: References = None,
    metric: Metrics = None,
    lowercase: Lowercase = False,
    tokenize: Tokenize = "13a",
    resamples: Resamples = 1000,
    trials: Annotated[int, typer.Option("--trials", help="Of approximate randomization.")] = 10_000,
    sentence_metric: Annotated[
        str, typer.Option("--sentence-metric", help="What single sentences are compared by.")
    ] = "chrf",
    comet_model: CometModel = None,
    beam_size: searching.BeamSize = None,
    length_penalty: searching.LengthPenalty = None,
    batch_size: searching.BatchSize = None,
    precision: searching.Precision = None,
    decoding: searching.Decoding = None,
    device: Device = "auto",
    json_output: Json = False,
) -> None:
    """Say which of several runs is better, how surely, and where they differ."""
    from seq2seq_attn.evaluation.compare import check_comparison, format_comparison
    from seq2seq_attn.evaluation.metrics import MetricOptions
    from seq2seq_attn.evaluation.metrics.choices import COMET_MODEL
    from seq2seq_attn.experiment.compare import ComparisonOptions, is_file
    from seq2seq_attn.experiment.compare import compare as run_comparison
    from seq2seq_attn.experiment.splits import choose_sets

    options = MetricOptions(lowercase, tokenize, resamples, comet_model or COMET_MODEL)
    metrics = list(dict.fromkeys(metric or ["bleu", "chrf"]))
    check_comparison(systems, [*metrics, sentence_metric], options)
    runs = [system for system in systems if not is_file(system)]
    sets = choose_sets(
        runs[0] if runs else None,
        splits=split or (),
        source=source,
        references=reference or (),
        needs_sources=bool(runs),
    )
    done = run_comparison(
        systems,
        sets,
        tests=ComparisonOptions(metrics, options, trials, sentence_metric),
        search=_search(context),
        device=device,
        report=lambda line: typer.echo(line, err=True),
    )
    if json_output:
        typer.echo(json.dumps([found.to_dict() for found in done], ensure_ascii=False))
    else:
        typer.echo("\n\n".join(format_comparison(found) for found in done))


def _model(run: str | None, hypothesis: Path | None, *, diagnostics: bool, calibration: bool) -> str | None:
    """Return the run that translates, None if that is done, and refuse what cannot be said of it."""
    from seq2seq_attn.experiment.behavior import check_observable

    if run is None and hypothesis is None:
        raise ConfigError("what is to be scored? name a run, or a file of translations with --hypothesis")
    model = run if hypothesis is None else None
    check_observable(model, diagnostics=diagnostics, calibration=calibration)
    return model


def _check_ready(context: typer.Context, splits: list[str]) -> None:
    """Refuse what does not go together with ready translations."""
    if _chosen(context):
        given = ", ".join(f"--{name.replace('_', '-')}" for name in _chosen(context))
        raise ConfigError(f"--hypothesis is translated already; leave out what says how: {given}")
    if len(splits) > 1:
        raise ConfigError(f"--hypothesis is one test set, but there are {', '.join(splits)}; choose with --split")


def _chosen(context: typer.Context) -> dict[str, Any]:
    """Return the options about search that were given."""
    return {name: context.params[name] for name in SEARCH if context.params.get(name) not in (None, [], ())}


def _search(context: typer.Context) -> Callable[[DecodingConfig], DecodingConfig]:
    """Return what makes of a configured search the one that was asked for."""
    return functools.partial(searching.decoding_of, options=_chosen(context))


def _show(done: list[Evaluation], behaviors: list[Behavior], *, by_length: bool, json_output: bool) -> None:
    if json_output:
        rows = zip(done, behaviors, strict=True)
        typer.echo(json.dumps([_as_dict(*row, by_length) for row in rows], ensure_ascii=False))
        return
    for evaluation, behavior in zip(done, behaviors, strict=True):
        for score in evaluation.scores.values():
            typer.echo(f"{evaluation.split}  {score.text}")
        if by_length:
            from seq2seq_attn.evaluation.by_length import format_by_length

            typer.echo(format_by_length(evaluation.by_length()))
        for line in behavior.describe().splitlines():
            typer.echo(f"{evaluation.split}  {line}")


def _check_plots(folder: Path | None) -> bool:
    """Say whether plots are wanted; refuse a place where none can be, before anything is translated."""
    if folder is None:
        return False
    from seq2seq_attn.files import check_folder
    from seq2seq_attn.visualization.page import check_plots

    check_plots()
    check_folder(folder, "a place for plots", option="--plots")
    return True


def _plot(done: list[Evaluation], folder: Path | None) -> None:
    if folder is None:
        return
    from seq2seq_attn.visualization.by_length import plot_by_length

    folder.mkdir(parents=True, exist_ok=True)
    for evaluation in done:
        buckets = evaluation.by_length()
        for metric in buckets[0].scores if buckets else ():  # COMET judges whole test sets only
            output = folder / f"{evaluation.split}-by-length-{metric}.svg"
            plot_by_length({evaluation.split: buckets}, output, title=evaluation.split, metric=metric)
            typer.echo(f"the plot is {output}", err=True)


def _as_dict(evaluation: Evaluation, behavior: Behavior, by_length: bool) -> dict[str, object]:
    found = evaluation.to_dict() | behavior.to_dict()
    if by_length:
        found["by_length"] = [bucket.to_dict() for bucket in evaluation.by_length()]
    return found
