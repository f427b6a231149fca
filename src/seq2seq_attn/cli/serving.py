"""The verb that answers others: ``serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli.options import Device
from seq2seq_attn.errors import UserError

TOKEN_VARIABLE = "SEQ2SEQ_ATTN_TOKEN"
_ACCESS, _LIMITS = "Who may ask", "How much may be asked for"

Served = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run folders, checkpoint folders inside them, or exported models; with commas between several: an "
        "ensemble. The first one answers requests that name no model.",
        show_default=False,
    ),
]


Host = Annotated[str, typer.Option("--host", help="The address to listen at; 0.0.0.0 for all.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free, which is printed.")]
TokenFile = Annotated[
    Optional[Path],
    typer.Option(
        "--token-file",
        rich_help_panel=_ACCESS,
        help=f"A file with the token that requests must show; or set {TOKEN_VARIABLE}. [default: none]",
    ),
]
AllowHost = Annotated[
    Optional[list[str]],
    typer.Option(
        "--allow-host",
        metavar="NAME",
        rich_help_panel=_ACCESS,
        help="Another name that requests may call the server by, such as that of a proxy; repeatable.",
    ),
]
Characters = Annotated[int, typer.Option("--max-characters", rich_help_panel=_LIMITS, help="Of one request.")]
Sentences = Annotated[int, typer.Option("--max-sentences", rich_help_panel=_LIMITS, help="Of one request.")]
WidestBeam = Annotated[int, typer.Option("--max-beam-size", rich_help_panel=_LIMITS, help="The widest beam.")]
TimeLimit = Annotated[
    float, typer.Option("--time-limit", rich_help_panel=_LIMITS, help="Seconds until a request has its answer.")
]
Queue = Annotated[int, typer.Option("--queue", rich_help_panel=_LIMITS, help="Sentences that may wait for each model.")]
BatchSize = Annotated[int, typer.Option("--batch-size", rich_help_panel=_LIMITS, help="Sentences translated at once.")]
BatchWait = Annotated[
    float,
    typer.Option(
        "--batch-wait", rich_help_panel=_LIMITS, help="Milliseconds that a sentence waits for others to come."
    ),
]


def serve(
    runs: Served,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    device: Device = "auto",
    token_file: TokenFile = None,
    allow_host: AllowHost = None,
    max_characters: Characters = 10_000,
    max_sentences: Sentences = 100,
    max_beam_size: WidestBeam = 16,
    time_limit: TimeLimit = 30.0,
    queue: Queue = 256,
    batch_size: BatchSize = 64,
    batch_wait: BatchWait = 5.0,
) -> None:
    """Serve a web page and a JSON interface; for this machine alone, unless --host says otherwise."""
    token = _read_token(token_file)
    from seq2seq_attn.serving.extras import check_extras
    from seq2seq_attn.serving.memory import bound_caches

    check_extras()
    bound_caches()
    from seq2seq_attn.serving.limits import Limits
    from seq2seq_attn.serving.run import Serving
    from seq2seq_attn.serving.run import serve as run_server

    run_server(
        Serving(
            runs=runs,
            host=host,
            port=port,
            token=token,
            hosts=allow_host or (),
            device=device,
            limits=Limits(
                characters=max_characters,
                sentences=max_sentences,
                beam_size=max_beam_size,
                seconds=time_limit,
                queue=queue,
                batch_sentences=batch_size,
                batch_milliseconds=batch_wait,
            ),
        ),
        lambda line: typer.echo(line, err=True),
    )


def _read_token(path: Path | None) -> str | None:
    """Return the token that requests must show; None where nobody asks for one."""
    if path is None:
        if TOKEN_VARIABLE not in os.environ:
            return None
        token, place = os.environ[TOKEN_VARIABLE].strip(), TOKEN_VARIABLE
    else:
        place = str(path)
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise UserError(f"{path}: the token cannot be read: {reason}") from error
    if not token or any(not 33 <= ord(character) <= 126 for character in token):
        raise UserError(
            f"{place}: a token is one word of ASCII letters, digits and signs; make one: openssl rand -hex 32"
        )
    return token
