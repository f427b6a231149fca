"""What every request passes before it is read, and every answer before it is sent."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq_attn.serving.refusals import Refusal
from seq2seq_attn.serving.service import Service

OPEN = ("/", "/health", "/openapi.json")
"""Paths that need no token, apart from those of the page's files."""

ASSETS = "/assets/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOCAL = "localhost"


class Guard:
    """The outermost layer: host, token, size and kind of a request; headers and numbers of an answer.

    Args:
        app: what answers.
        service: whose limits hold, and who counts.
        token: that requests must show; None: none.
        hosts: names that a request may call us by; None: any.
        paths: what is counted by name; everything else is ``other``.
    """

    def __init__(
        self, app: ASGIApp, service: Service, *, token: str | None, hosts: frozenset[str] | None, paths: frozenset[str]
    ) -> None:
        self.app = app
        self.service = service
        self.token = None if token is None else _digest(token)
        self.hosts = hosts
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        begin = time.monotonic()
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            self._check(scope, headers)
            await self.app(scope, await self._with_body(scope, headers, receive), answer)
        except Refusal as refusal:
            self.service.refused(refusal)
            await answer.refuse(refusal)
        finally:
            path = _counted(scope["path"], self.paths)
            if answer.status:
                self.service.requests.add(path, scope["method"], str(answer.status))
                self.service.latency.add(time.monotonic() - begin, path)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            # A page from elsewhere whose name was made to point at this machine would say its own name here.
            raise Refusal(
                403,
                "wrong_host",
                f"this server does not answer to the name {host[:100]!r}",
                "use the address that it printed, or start it with --allow-host NAME",
            )
        path = scope["path"]
        is_open = path in OPEN or path.startswith(ASSETS)
        if self.token is not None and not is_open and not self._has_token(headers.get("authorization", "")):
            raise Refusal(
                401,
                "no_token",
                "this server needs a token",
                "send it as a header: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind != "application/json":
            # Nothing else makes a browser ask first before it sends what a foreign page wants it to send.
            raise Refusal(
                415,
                "not_json",
                f"the content type is {kind[:100] or 'missing'!r}, but requests are JSON",
                "send the header Content-Type: application/json",
            )

    def _has_token(self, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        is_same = hmac.compare_digest(_digest(shown.strip()), self.token or b"")
        return scheme.lower() == "bearer" and is_same

    async def _with_body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """Read the body within the limits of size and time; return what gives it once more."""
        if scope["method"] != "POST":
            return receive
        most = self.service.limits.body_bytes
        too_large = Refusal(
            413,
            "too_large",
            f"the request is larger than {most:,} bytes",
            f"send {self.service.limits.characters:,} characters or fewer at a time",
            {"Connection": "close"},
        )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            raise too_large
        body = bytearray()

        async def read() -> None:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body.extend(message.get("body", b""))
                more = message.get("more_body", False)
                if len(body) > most:
                    raise too_large

        try:
            await asyncio.wait_for(read(), self.service.limits.seconds)
        except asyncio.TimeoutError:
            raise Refusal(
                408,
                "too_slow",
                f"the request did not come in full within {self.service.limits.seconds:g} s",
                "send it faster",
                {"Connection": "close"},
            ) from None
        self.service.check_room()
        return _replay(bytes(body), receive)


class _Answer:
    """Adds headers to what is sent; knows whether anything was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name.lower() for name, _ in message["headers"]}
            added = {**HEADERS, "cache-control": "no-store"}
            more = [(name.encode(), value.encode()) for name, value in added.items() if name.encode() not in own]
            message = {**message, "headers": [*message["headers"], *more]}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Send why there is no answer, if none has begun."""
        if self.status:
            return
        body = json.dumps(refusal.body(), ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await self({"type": "http.response.body", "body": body})


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOCAL


def allowed_hosts(host: str, more: Iterable[str]) -> frozenset[str] | None:
    """Return the names that requests may call a server by that listens at ``host``; None: any."""
    named = frozenset(name.lower() for name in more)
    if is_loopback(host):
        return named | {LOCAL, "127.0.0.1", "::1", host.lower()}
    return named | {host.lower()} if named else None


def _name(host: str) -> str:
    """Return the name of a ``Host`` header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _counted(path: str, known: frozenset[str]) -> str:
    """Return what a path is counted as: few names, whatever is asked for."""
    return path if path in known else "/assets" if path.startswith(ASSETS) else "other"


def _digest(token: str) -> bytes:
    """Return a value whose comparison says nothing of the length of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def give() -> dict[str, Any]:
        nonlocal is_given
        if is_given:
            return await receive()  # type: ignore[return-value]
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
