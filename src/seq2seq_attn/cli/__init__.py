"""The command line: arguments into one call each, errors into one or two lines.

Heavy libraries are imported inside the verb that needs them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from types import FrameType
from typing import Annotated, ParamSpec

import typer

from seq2seq_attn import __version__
from seq2seq_attn.cli import (
    aligning,
    attending,
    averaging,
    distilling,
    doctoring,
    evaluating,
    exporting,
    listing,
    reporting,
    serving,
    showing,
    training,
    translating,
)
from seq2seq_attn.cli.panels import GroupedCommand
from seq2seq_attn.cli.pipes import drop_output
from seq2seq_attn.errors import Seq2SeqError

app = typer.Typer(
    name="seq2seq-attn",
    help="Train, inspect and use LSTM encoder-decoder translators with pluggable attention.",
    epilog="--debug before or after a verb shows the whole traceback of an error.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

P = ParamSpec("P")


def _verb(function: Callable[P, None]) -> None:
    """Add a verb; see to what the library would end in its own way."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except BrokenPipeError:
            drop_output()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            raise typer.Exit(128 + signal.SIGINT) from None

    app.command(cls=GroupedCommand)(run)


_verb(training.train)
_verb(training.prepare)
_verb(distilling.distill)
_verb(evaluating.evaluate)
_verb(evaluating.compare)
_verb(translating.translate)
_verb(translating.score)
_verb(aligning.align)
_verb(averaging.average)
_verb(attending.attend)
_verb(showing.info)
_verb(doctoring.doctor)
_verb(reporting.report)
_verb(exporting.export)
_verb(serving.serve)
_verb(listing.attentions)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    del version


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; leave with status 0, 1 (failed while working) or 2 (wrong request)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as files and standard input are, in any locale
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        app(arguments, prog_name="seq2seq-attn")
    except Seq2SeqError as error:
        if debug:
            raise
        print(f"seq2seq-attn: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:  # no space, no permission: nothing that we could have known
        if debug:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"seq2seq-attn: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> None:
    """End in good order, so that no half-written file stays."""
    del frame
    sys.exit(128 + number)
