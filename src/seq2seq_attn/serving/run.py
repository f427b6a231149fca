"""Listen, answer, and end in good order."""

from __future__ import annotations

import errno
import logging
import math
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvicorn

from seq2seq_attn.errors import Seq2SeqError, UserError
from seq2seq_attn.serving.app import build_app
from seq2seq_attn.serving.guard import Guard, allowed_hosts, is_loopback
from seq2seq_attn.serving.limits import Limits
from seq2seq_attn.serving.models import open_models
from seq2seq_attn.serving.service import Service

BACKLOG = 2048  # connections that the system holds until we accept them
GRACE = 5  # seconds beyond the time limit of a request until the server ends in any case


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What to serve, and where.

    Attributes:
        runs: what the command line names.
        host: the address to listen at.
        port: 0 for any that is free.
        token: that requests must show; None: none.
        hosts: more names that requests may call the server by.
        device: ``auto``, ``cpu`` or ``cuda``.
        limits: how much may be asked for.
    """

    runs: Sequence[str]
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    hosts: Sequence[str] = ()
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)


def serve(serving: Serving, tell: Callable[[str], None]) -> None:
    """Serve until a signal comes; then finish what was accepted.

    Raises:
        ConfigError: if a limit makes no sense.
        CheckpointError: if a run cannot be opened.
        UserError: if the address cannot be used.
        Seq2SeqError: if the port is in use.
    """
    serving.limits.check()
    with bind(serving.host, serving.port) as listener:
        models = open_models(serving.runs, serving.limits, device=serving.device)
        start_listening(listener)
        hosts = allowed_hosts(serving.host, serving.hosts)
        app = build_app(Service(models, serving.limits), token=serving.token, hosts=hosts)
        if serving.token is None and not is_loopback(serving.host):
            tell(f"warning: anybody who reaches {serving.host} can use this server; --token-file FILE asks for a token")
        tell(f"serving {', '.join(models)} at {address(listener)} (Ctrl-C ends it)")
        logging.basicConfig(stream=sys.stderr, format="seq2seq-attn: %(message)s")
        uvicorn.Server(configure(app, serving.limits)).run(sockets=[listener])


def configure(app: Guard, limits: Limits) -> uvicorn.Config:
    """Return how the application is run: quietly, and to its end."""
    return uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(limits.seconds) + GRACE,
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has an address; it refuses connections until somebody listens.

    Raises:
        UserError: if the address is none of this machine.
        Seq2SeqError: if the port is in use.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host}: this is no address of this machine; try 127.0.0.1") from error
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from error
    return listener


def start_listening(listener: socket.socket) -> None:
    """Accept connections from now on.

    Raises:
        Seq2SeqError: if somebody else was faster to listen at the same port.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise _unusable(host, port, error) from error


def _unusable(host: str, port: int, error: OSError) -> Seq2SeqError:
    if error.errno == errno.EADDRINUSE:
        return Seq2SeqError(
            f"port {port} of {host} is in use; choose another one with --port, or --port 0 for any that is free"
        )
    if error.errno == errno.EACCES:
        return UserError(f"port {port} is for the system's own services; choose one above 1023 with --port")
    return UserError(f"--host {host}: {error.strerror}; 127.0.0.1 is for this machine alone, 0.0.0.0 for all networks")


def address(listener: socket.socket) -> str:
    """Return where a page of this machine finds the server."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
