"""The paths that tell of the server itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from seq2seq_attn.serving.messages import HealthAnswer, ModelsAnswer
from seq2seq_attn.serving.metrics import CONTENT_TYPE
from seq2seq_attn.serving.service import Service


def about(service: Service) -> APIRouter:
    """Return the paths."""
    router = APIRouter()

    @router.get("/health", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
    async def health() -> JSONResponse:
        """Say whether the server can answer: 200, or 503 while it is stopping."""
        if service.stopping:
            return JSONResponse({"status": "stopping"}, status_code=503)
        return JSONResponse({"status": "ok"})

    @router.get("/models", response_model=ModelsAnswer)
    async def models() -> dict[str, Any]:
        """List the models, and how much a request may ask for."""
        limits = service.limits
        return {
            "models": [model.describe() for model in service.models.values()],
            "limits": {
                "characters": limits.characters,
                "sentences": limits.sentences,
                "beam_size": limits.beam_size,
                "seconds": limits.seconds,
            },
        }

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Give numbers in the text format of Prometheus."""
        return PlainTextResponse(service.expose(), media_type=CONTENT_TYPE)

    return router
