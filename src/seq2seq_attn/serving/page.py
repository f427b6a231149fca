"""The page, and the files that it loads."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
OWN = {"serve.js", "serve.css", "icon.svg"}
SHARED = {"attention.js", "attention.css"}


class File(NamedTuple):
    """A file of the page."""

    content: bytes
    kind: str
    tag: str


def page() -> APIRouter:
    """Return the paths."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def start(request: Request) -> Response:
        return _send(request, "serve.html")

    @router.get("/assets/{name}")
    async def asset(request: Request, name: str) -> Response:
        if name not in OWN | SHARED:
            raise HTTPException(404)
        return _send(request, name)

    return router


def _send(request: Request, name: str) -> Response:
    file = read(name)
    headers = {"etag": file.tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)


@cache
def read(name: str) -> File:
    """Return a file of the package."""
    package = "visualization" if name in SHARED else "serving"
    content = resources.files(f"seq2seq_attn.{package}").joinpath("assets").joinpath(name).read_bytes()
    return File(content, KINDS[name.rpartition(".")[2]], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
