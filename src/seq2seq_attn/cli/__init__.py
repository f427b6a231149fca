"""The command line: arguments into one call each, errors into one or two lines.

Heavy libraries are imported inside the verb that needs them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from seq2seq_attn import __version__
from seq2seq_attn.cli import showing, training, translating
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

app.command()(training.train)
app.command()(training.prepare)
app.command()(translating.evaluate)
app.command()(translating.translate)
app.command()(showing.attend)
app.command()(showing.info)
app.command()(showing.attentions)


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
    try:
        app(arguments, prog_name="seq2seq-attn")
    except Seq2SeqError as error:
        if debug:
            raise
        print(f"seq2seq-attn: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
