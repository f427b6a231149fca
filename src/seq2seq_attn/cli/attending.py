"""The verb that shows where a model looked: ``attend``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from seq2seq_attn.cli import searching
from seq2seq_attn.cli.options import Device
from seq2seq_attn.cli.translating import Runs
from seq2seq_attn.errors import ConfigError, UserError

if TYPE_CHECKING:
    from seq2seq_attn.experiment.attend import Wanted
    from seq2seq_attn.translation import Translator

_SHOWN = "What is shown"
_OF_PICTURES = ("part", "layer", "head")
_OF_PAGES = ("compare", "no_beam")
_NOT_OF_SEARCH = ("run", "text", "output", "target", "device", "precision", *_OF_PICTURES, *_OF_PAGES)


Text = Annotated[str, typer.Argument(metavar="TEXT", help="A source sentence.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", help="A .png, .svg, .html or .json file.", show_default=False)]
Compare = Annotated[
    Optional[list[str]],
    typer.Option(
        "--compare", metavar="RUN", rich_help_panel=_SHOWN, help="Another run beside it, in a page; repeatable."
    ),
]
Target = Annotated[
    Optional[str],
    typer.Option("--target", rich_help_panel=_SHOWN, help="A translation to look at instead of the model's own."),
]
NBest = Annotated[int, typer.Option("--n-best", metavar="K", rich_help_panel=_SHOWN, help="The K-th best translation.")]
NoBeam = Annotated[
    bool, typer.Option("--no-beam", rich_help_panel=_SHOWN, help="Leave the tree of hypotheses out of a page.")
]
Part = Annotated[
    Optional[str],
    typer.Option(
        "--part",
        rich_help_panel=_SHOWN,
        help="Of a picture: cross (target at source), encoder or decoder, head by head. [default: cross]",
    ),
]
Layer = Annotated[
    Optional[int],
    typer.Option("--layer", rich_help_panel=_SHOWN, help="One layer, counted from 1, head by head. [default: all]"),
]
Head = Annotated[
    Optional[int], typer.Option("--head", rich_help_panel=_SHOWN, help="One head, counted from 1. [default: all]")
]


def attend(
    context: typer.Context,
    run: Runs,
    text: Text,
    output: Output,
    compare: Compare = None,
    target: Target = None,
    n_best: NBest = 1,
    no_beam: NoBeam = False,
    part: Part = None,
    layer: Layer = None,
    head: Head = None,
    device: Device = "auto",
    beam_size: searching.BeamSize = None,
    normalization: searching.Normalization = None,
    length_penalty: searching.LengthPenalty = None,
    coverage_penalty: searching.CoveragePenalty = None,
    min_length: searching.MinLength = None,
    max_length: searching.MaxLength = None,
    max_length_ratio: searching.MaxLengthRatio = None,
    no_repeat_ngram: searching.NoRepeatNgram = None,
    repetition_penalty: searching.RepetitionPenalty = None,
    diverse_groups: searching.DiverseGroups = None,
    diversity: searching.Diversity = None,
    precision: searching.Precision = None,
    decoding: searching.Decoding = None,
    prefix: searching.Prefix = None,
    require: searching.Require = None,
    forbid: searching.Forbid = None,
    sample: searching.Sample = None,
    temperature: searching.Temperature = None,
    top_k: searching.TopK = None,
    top_p: searching.TopP = None,
    seed: searching.Seed = None,
    mbr: searching.MinimumRisk = None,
    candidates: searching.Candidates = None,
    replace_unknown: searching.ReplaceUnknown = None,
    lexicon: searching.Lexicon = None,
) -> None:
    """Show where the model looked while it translated one sentence.

    A picture without --part, --layer and --head: one matrix, of a Transformer the mean over the heads of its
    alignment layer. An .html file has everything in it: open it in a browser.
    """
    from seq2seq_attn.experiment.attend import Wanted, check_attention_path
    from seq2seq_attn.files import check_output
    from seq2seq_attn.translation import Constraint, Translator
    from seq2seq_attn.visualization.picture import PICTURE_SUFFIXES

    check_attention_path(output)
    check_output(output)
    pictured = output.suffix.lower() in PICTURE_SUFFIXES
    _check_options(context.params, pictured=pictured)
    _check_text(text, "sentence")
    if target is not None:
        _check_text(target, "target")
    asked = prefix or require
    constraint = Constraint(prefix or "", tuple(require or ()), place="--prefix or --require") if asked else None
    wanted = Wanted(text, target, n_best, constraint, with_beam=not no_beam)
    first = Translator.load(run, device=device)
    if pictured:
        _draw(first, wanted, context.params, output)
    else:
        others = [Translator.load(other, device=device) for other in compare or ()]
        _write([run, *(compare or ())], [first, *others], wanted, context.params, output)


def _draw(translator: Translator, wanted: Wanted, options: Mapping[str, Any], output: Path) -> None:
    """Draw one matrix, or the maps that were chosen."""
    from seq2seq_attn.cli.maps import choose_maps, draw_maps
    from seq2seq_attn.visualization.heatmap import draw_attention

    if not translator.attends:
        raise UserError(f"{options['run']}: this model was trained with attention 'none'; it looks nowhere")
    found = wanted.find(translator, searching.decoding_of(translator.decoding, options, n_best=wanted.number))
    chosen = {name: options[name] for name in _OF_PICTURES}
    if all(value is None for value in chosen.values()):
        draw_attention(found.attention, found.source_tokens, found.tokens, output)
    else:
        draw_maps(choose_maps(translator.attention_maps(wanted.text, wanted.target or found), **chosen), output)
    if wanted.target is None:
        typer.echo(found.text)


def _write(
    runs: list[str], translators: list[Translator], wanted: Wanted, options: Mapping[str, Any], output: Path
) -> None:
    """Write a page or a document, of one model or of several side by side."""
    from seq2seq_attn.experiment.attend import describe_models, panel, write_document

    panels = []
    for model, translator in zip(describe_models(runs), translators, strict=True):
        decoding = searching.decoding_of(translator.decoding, options, n_best=wanted.number)
        found = wanted.find(translator, decoding)
        panels.append(panel(model, translator, found, wanted, decoding))
    write_document(panels, wanted.text, output)
    if wanted.target is None:
        for one in panels:
            typer.echo(one["text"])


def _check_options(options: Mapping[str, Any], *, pictured: bool) -> None:
    """Refuse options that this kind of file, or this kind of translation, has no use for."""
    given = [name for name, value in options.items() if value not in (None, (), [], False)]
    strange = [name for name in given if name in (_OF_PAGES if pictured else _OF_PICTURES)]
    if strange and pictured:
        raise ConfigError(f"{_named(strange)} is for a page; name an .html or .json file with --output")
    if strange:
        raise ConfigError(f"{_named(strange)} chooses what a picture shows; a page has every map, so leave it out")
    searched = [name for name in given if name not in _NOT_OF_SEARCH and (name, options[name]) != ("n_best", 1)]
    if "target" in given and searched:
        raise ConfigError(f"{_named(searched)} is for translations that are searched for; leave it or --target out")


def _named(options: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in options)


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"the {what} is not valid UTF-8") from None
    if not text.strip():
        raise UserError(f"the {what} is empty, so there is no attention to draw")
