"""The whole application, put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from seq2seq_attn import __version__
from seq2seq_attn.errors import did_you_mean
from seq2seq_attn.serving.about import about
from seq2seq_attn.serving.answering import answering
from seq2seq_attn.serving.guard import Guard
from seq2seq_attn.serving.page import page
from seq2seq_attn.serving.refusals import Refusal, unexpected
from seq2seq_attn.serving.service import ClientGoneError, Service

GONE = 499  # what nobody will read; the number that logs of web servers have for it


def build_app(service: Service, *, token: str | None = None, hosts: frozenset[str] | None = None) -> Guard:
    """Return the ASGI application.

    Args:
        service: with the models.
        token: that requests must show; None: none.
        hosts: names that requests may call the server by; None: any.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with service.running():
            yield

    app = FastAPI(
        title="seq2seq_attn",
        summary="Translate, and see where the model looked.",
        version=__version__,
        docs_url=None,  # pages of FastAPI that load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(answering(service))
    app.include_router(about(service))
    app.include_router(page())
    _handle_errors(app, service)
    paths = frozenset({"/", "/openapi.json", *app.openapi()["paths"]})
    return Guard(app, service, token=token, hosts=hosts, paths=paths)


def _handle_errors(app: FastAPI, service: Service) -> None:
    async def refuse(request: Request, error: Exception) -> Response:
        del request
        refusal = _refusal_of(error)
        service.refused(refusal)
        return JSONResponse(refusal.body(), status_code=refusal.status, headers=refusal.headers)

    async def forget(request: Request, error: Exception) -> Response:
        del request, error
        service.client_gone()
        return Response(status_code=GONE)

    for kind in (Refusal, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, refuse)
    app.add_exception_handler(ClientGoneError, forget)


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        return _wrong_request(error.errors())
    if isinstance(error, HTTPException) and error.status_code == 404:
        return Refusal(
            404, "unknown_path", "there is nothing at this path", "see /openapi.json for those that there are"
        )
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return Refusal(405, "wrong_method", "this path has another method", f"use {allowed}", error.headers)
    if isinstance(error, HTTPException):
        return Refusal(error.status_code, "bad_request", str(error.detail), "see /openapi.json", error.headers)
    return unexpected()


def _wrong_request(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """Say what is wrong with one of the wrong values: a key that is misspelled explains one that is missing."""
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return Refusal(
            400, "bad_json", f"the request is not JSON: {reason}", 'send an object such as {"text": "A red car."}'
        )
    key = ".".join(str(part) for part in first["loc"][1:3] if not str(part).startswith(("list[", "str", "constrained")))
    if first["type"] == "extra_forbidden":
        known = _KEYS
        return Refusal(
            422,
            "unknown_key",
            f"the request has a key {key[:100]!r} that is not known{did_you_mean(key, known)}",
            "see /openapi.json for those that there are",
        )
    if first["type"] == "missing":
        return Refusal(422, "missing_key", f"the request lacks {key!r}" if key else "the request is empty", "add it")
    return Refusal(422, "wrong_value", f"{key or 'the request'}: {first['msg'].lower()}", "see /openapi.json")


_KEYS = (
    "text",
    "source",
    "target",
    "model",
    "beam_size",
    "n_best",
    "length_penalty",
    "weights",
    "panel",
    "alternatives",
    "heads",
    "beam",
)
