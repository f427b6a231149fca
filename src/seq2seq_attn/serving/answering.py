"""The paths that translate and score."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.serving.events import MEDIA_TYPE, Event, Progress
from seq2seq_attn.serving.messages import (
    AttendAnswer,
    AttendRequest,
    ErrorAnswer,
    ScoreRequest,
    TranslateAnswer,
    TranslateRequest,
)
from seq2seq_attn.serving.models import ServedModel
from seq2seq_attn.serving.refusals import Refusal, too_late
from seq2seq_attn.serving.rendering import panel_so_far, render_document, render_results
from seq2seq_attn.serving.service import Service, results_of
from seq2seq_attn.serving.work import Ask, Job

REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer} for status in (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504)
}


def answering(service: Service) -> APIRouter:
    """Return the paths."""
    router = APIRouter(responses=REFUSED)

    @router.post("/translate", response_model=TranslateAnswer, response_model_exclude_none=True)
    async def translate(asked: TranslateRequest, request: Request) -> JSONResponse:
        """Translate a sentence, or several."""
        model, job = _translation(service, asked)
        results = await service.answer(request, model, job)
        return JSONResponse({"model": model.name, "results": results})

    @router.post("/translate/stream", response_class=StreamingResponse)
    async def stream(asked: TranslateRequest) -> StreamingResponse:
        """Translate, and send server-sent events on the way.

        `partial`: how the best hypothesis of a sentence begins so far. `result`: its translations, as in the answer
        of `/translate`. `end`: there is nothing more. `error`: why there is nothing more.
        """
        progress = Progress()
        model, job = _translation(service, asked, progress)
        batcher = service.submit(model, job)

        async def events() -> AsyncIterator[bytes]:
            try:
                yield Event("start", {"model": model.name, "sentences": len(job.texts)}).encode()
                async for event in progress.events(job.finished, service.limits.seconds):
                    yield event.encode()
                yield _ending(job, service.limits.seconds).encode()
            finally:
                if not job.finished.done():
                    batcher.abandon(job)
                    service.client_gone()

        return StreamingResponse(events(), media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})

    @router.post("/score", response_model=TranslateAnswer, response_model_exclude_none=True)
    async def score(asked: ScoreRequest, request: Request) -> JSONResponse:
        """Score given translations as the model would have scored them, had it found them."""
        model, job = _scoring(service, asked)
        results = await service.answer(request, model, job)
        return JSONResponse({"model": model.name, "results": results})

    @router.post("/attend", response_model=AttendAnswer)
    async def attend(asked: AttendRequest, request: Request) -> JSONResponse:
        """Give where the model looked while it translated one sentence: an attention document."""
        model, job = _look(service, asked)
        (found,) = await service.answer(request, model, job)
        return JSONResponse(found)

    return router


def _translation(
    service: Service, asked: TranslateRequest, progress: Progress | None = None
) -> tuple[ServedModel, Job]:
    """Return the model that is meant, and the work."""
    texts = _listed(asked.text)
    service.limits.check_texts(texts)
    service.limits.check_beam(asked.beam_size, asked.n_best)
    model = service.choose(asked.model)
    ask = Ask("translate", asked.beam_size, asked.n_best, asked.length_penalty)
    check_search(model, ask)
    render = render_results(model, weights=asked.weights, panel=asked.panel)
    if progress is None:
        return model, Job(ask, texts, render)
    draw = partial(panel_so_far, model=model) if asked.panel else None
    return model, Job(ask, texts, render, watch=progress.watcher(draw), on_result=progress.result)


def _scoring(service: Service, asked: ScoreRequest) -> tuple[ServedModel, Job]:
    """Return the model that is meant, and the work."""
    sources, targets = _listed(asked.source), _listed(asked.target)
    if len(sources) != len(targets):
        raise Refusal(
            422,
            "unequal",
            f"there are {len(sources)} sources, but {len(targets)} targets",
            "give one target to each source",
        )
    service.limits.check_texts(sources)
    service.limits.check_texts(targets)
    model = service.choose(asked.model)
    return model, Job(Ask("score"), sources, render_results(model, weights=asked.weights), targets=targets)


def _look(service: Service, asked: AttendRequest) -> tuple[ServedModel, Job]:
    """Return the model that is meant, and the work: a translation, or the score of a given one."""
    service.limits.check_texts([asked.text, *([] if asked.target is None else [asked.target])])
    service.limits.check_beam(asked.beam_size, 1)
    model = service.choose(asked.model)
    render = render_document(model, asked)
    if asked.target is not None:
        return model, Job(Ask("score"), [asked.text], render, targets=[asked.target])
    ask = Ask("translate", asked.beam_size)
    check_search(model, ask)
    return model, Job(ask, [asked.text], render)


def check_search(model: ServedModel, ask: Ask) -> None:
    """Refuse numbers that do not go together, before anything waits for them."""
    if ask.beam_size is not None and ask.n_best > ask.beam_size:
        raise Refusal(
            422,
            "impossible",
            f"n_best is {ask.n_best}, but a beam of {ask.beam_size} gives {ask.beam_size} translations at most",
            "ask for fewer, or for a wider beam",
        )
    try:
        model.decoding_of(ask)
    except ConfigError as error:
        raise Refusal(422, "impossible", str(error), "change the request") from error


def _ending(job: Job, seconds: float) -> Event:
    """Return the last event of a stream."""
    if not job.finished.done():
        return Event("error", too_late(seconds).body())
    try:
        results_of(job)
    except Refusal as refusal:
        return Event("error", refusal.body())
    return Event("end", {})


def _listed(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts
