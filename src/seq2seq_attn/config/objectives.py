"""The parts of the `training` section that say what is descended, beyond plain likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from seq2seq_attn.config.types import Count, CountOrZero, NotNegative, Positive, Section, Share, ShareOrAll, wrong

if TYPE_CHECKING:
    from seq2seq_attn.config.model import ModelConfig
    from seq2seq_attn.config.training import TrainingConfig


class WordDropoutConfig(Section):
    """Whole tokens are hidden from the model while it learns; a number alone is for both sides."""

    source: Share = Field(default=0.0, description="Share of the source tokens.")
    target: Share = Field(default=0.0, description="Share of the target tokens that the decoder is told.")
    replace: Literal["unknown", "zero", "random"] = Field(
        default="unknown",
        description="What stands in their place: unknown: the unknown token; zero: an embedding of zeros; random: any "
        "other token.",
    )


def expand_word_dropout(value: object) -> object:
    """Let a number stand for both sides."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"source": value, "target": value}
    if value is None or isinstance(value, Mapping | WordDropoutConfig):
        return value
    raise wrong("expected a number, or a mapping of source, target and replace")


class ScheduledSamplingConfig(Section):
    """The decoder is told some of its own predictions instead of the right tokens, more and more of them."""

    decay: Literal["linear", "exponential", "inverse_sigmoid"] = Field(
        default="inverse_sigmoid",
        description="How the share of right tokens falls with the step i: linear: 1 - i / steps; exponential: "
        "exp(-i / steps); inverse_sigmoid: k / (k + exp(i / k)) with k = steps.",
    )
    steps: Count = Field(default=1000, description="How slowly it falls; see decay.")
    minimum: ShareOrAll = Field(default=0.0, description="The share of right tokens falls no lower.")
    start_after: CountOrZero = Field(default=0, description="Steps with right tokens only, before i counts from 0.")
    predictions: Literal["best", "sample"] = Field(
        default="best", description="The most probable token, or one that is drawn from the model."
    )
    passes: Count = Field(
        default=1,
        description="How often predictions are made, each time from what was mixed before; as many as the target has "
        "tokens make it exact.",
    )


class RiskConfig(Section):
    """Minimum risk training: what is lost is the expected error of translations drawn from the model."""

    utility: Literal["bleu", "chrf"] = Field(
        default="bleu", description="sacreBLEU's score of a sentence; the risk is 1 less it."
    )
    candidates: Count = Field(default=20, description="Translations drawn for each sentence; equal ones count once.")
    include_reference: bool = Field(default=True, description="The reference is a candidate, too.")
    temperature: Positive = Field(default=1.0, description="Of the draw; above 1: more varied candidates.")
    sharpness: Positive = Field(
        default=0.005, description="Probabilities of candidates are raised to this power before they are compared."
    )
    length_normalization: bool = Field(
        default=False, description="Divide the log-probability of a candidate by its number of tokens."
    )
    likelihood_weight: NotNegative = Field(
        default=0.0, description="Factor of what is lost without this section, added to the risk."
    )
    max_length_ratio: Positive = Field(default=2.0, description="Longest candidate, in tokens per reference token.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """One candidate is no choice."""
        if self.candidates == 1 and not self.include_reference:
            yield "candidates", "there is nothing to choose from; set it to at least 2, or include_reference to true"


def likelihood_conflicts(training: TrainingConfig) -> Iterator[tuple[str, str]]:
    """Refuse what says how the likelihood is learned where it is not."""
    if training.minimum_risk is None or training.minimum_risk.likelihood_weight:
        return
    asked = {
        "word_dropout": bool(training.word_dropout.source or training.word_dropout.target),
        "scheduled_sampling": training.scheduled_sampling is not None,
        "r_drop": bool(training.r_drop),
        "guided_alignment": bool(training.guided_alignment.weight),
        "coverage_loss": bool(training.coverage_loss),
    }
    for key, is_asked in asked.items():
        if is_asked:
            yield (
                key,
                "has no effect: it goes with the likelihood, but minimum_risk.likelihood_weight is 0; "
                "raise that, or remove this key",
            )


def model_conflicts(training: TrainingConfig, model: ModelConfig) -> Iterator[tuple[str, str]]:
    """Refuse objectives that this model cannot have."""
    if training.word_dropout.source and model.copying:
        yield (
            "training.word_dropout.source",
            "hides source tokens, and model.copying would copy what stands in their place; set it to 0, or "
            "model.copying to false",
        )
    if training.r_drop and not _drops(model):
        yield (
            "training.r_drop",
            "compares two passes with different dropout, but no model.dropout is above 0 where it has an effect",
        )


def _drops(model: ModelConfig) -> bool:
    dropout = model.dropout
    between_layers = model.architecture == "transformer" or max(model.encoder.layers, model.decoder.layers) > 1
    return bool(dropout.embedding or dropout.output or (dropout.state and between_layers))
