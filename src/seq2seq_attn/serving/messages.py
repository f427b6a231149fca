"""What requests and answers look like: checked when they come, described in ``/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Texts = str | Annotated[list[str], Field(min_length=1)]
ModelName = Annotated[str | None, Field(description="As `GET /models` calls it; the first one if not given.")]
BeamSize = Annotated[int | None, Field(ge=1, description="Hypotheses per sentence; 1 is greedy search.")]
LengthPenalty = Annotated[float | None, Field(ge=0, description="An exponent of the length, as a rule.")]


class Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: ModelName = None


class TranslateRequest(Request):
    """Sentences to translate."""

    text: Annotated[Texts, Field(description="A sentence, or a list of them.")]
    beam_size: BeamSize = None
    n_best: Annotated[int, Field(ge=1, description="Translations of each sentence.")] = 1
    length_penalty: LengthPenalty = None
    weights: Annotated[bool, Field(description="Give tokens and attention weights, too.")] = False
    panel: Annotated[bool, Field(description="Give what `/attend` gives of each translation, too.")] = False


class ScoreRequest(Request):
    """Given translations to score."""

    source: Annotated[Texts, Field(description="A sentence, or a list of them.")]
    target: Annotated[Texts, Field(description="Its translation, or one for each.")]
    weights: Annotated[bool, Field(description="Give tokens and attention weights, too.")] = False


class AttendRequest(Request):
    """A sentence to look at."""

    text: Annotated[str, Field(description="A sentence.")]
    target: Annotated[str | None, Field(description="A translation to look at instead of the model's own.")] = None
    beam_size: BeamSize = None
    alternatives: Annotated[int, Field(ge=0, le=32, description="How many tokens to tell for each place.")] = 8
    heads: Annotated[bool, Field(description="Give the maps of every head of every layer, too.")] = True
    beam: Annotated[bool, Field(description="Give the tree of hypotheses, too.")] = False


class TranslationMessage(BaseModel):
    """One translation of one sentence; the last five only when weights were asked for."""

    text: str
    score: Annotated[float | None, Field(description="What it is ranked by.")]
    log_prob: Annotated[float | None, Field(description="Natural logarithm of the model's probability.")]
    finished: Annotated[bool, Field(description="False when the length limit cut it off.")]
    truncated: Annotated[bool, Field(description="Whether the source was longer than a model reads.")]
    tokens: list[str] | None = None
    source_tokens: list[str] | None = None
    token_log_probs: list[float | None] | None = None
    alignment: Annotated[list[tuple[int, int]] | None, Field(description="Links (source word, target word).")] = None
    attention: Annotated[list[list[float]] | None, Field(description="Target tokens x source tokens.")] = None
    panel: Annotated[dict[str, Any] | None, Field(description="What the attention view draws.")] = None


class SentenceMessage(BaseModel):
    """A sentence and its translations, best first."""

    source: str
    translations: list[TranslationMessage]


class TranslateAnswer(BaseModel):
    """Sentences in the order of the request."""

    model: str
    results: list[SentenceMessage]


class AttendAnswer(BaseModel):
    """An attention document, as `seq2seq-attn attend --output FILE.json` writes it."""

    format: str
    title: str
    panels: list[dict[str, Any]]


class ModelMessage(BaseModel):
    """A model that is served."""

    name: str
    source_language: str
    target_language: str
    format: Annotated[str, Field(description="`run`, or `onnx` with its precision.")]
    architecture: str
    attention: str
    parameters: int
    models: Annotated[int, Field(description="1, or how many translate together as an ensemble.")]
    beam_size: Annotated[int, Field(description="Where a request does not say.")]


class LimitsMessage(BaseModel):
    """How much a request may ask for."""

    characters: int
    sentences: int
    beam_size: int
    seconds: float


class ModelsAnswer(BaseModel):
    """All models, the one that answers by default first."""

    models: list[ModelMessage]
    limits: LimitsMessage


class HealthAnswer(BaseModel):
    """Whether the server can answer."""

    status: str


class ErrorMessage(BaseModel):
    """Why there is no answer."""

    code: Annotated[str, Field(description="One word, for programs.")]
    message: Annotated[str, Field(description="What is wrong.")]
    mend: Annotated[str, Field(description="What to do.")]


class ErrorAnswer(BaseModel):
    """What every request that is refused gets."""

    error: ErrorMessage
