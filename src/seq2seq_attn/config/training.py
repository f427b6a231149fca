"""The `training` section of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from seq2seq_attn.config.objectives import (
    RiskConfig,
    ScheduledSamplingConfig,
    WordDropoutConfig,
    expand_word_dropout,
    likelihood_conflicts,
)
from seq2seq_attn.config.types import (
    Count,
    CountOrZero,
    NotNegative,
    OneOrMany,
    Positive,
    Section,
    Share,
    ShareOrAll,
    Shorthand,
    Text,
    wrong,
)

TextMetric = Literal["bleu", "chrf", "chrf++", "ter"]
ValidationMetric = Literal[TextMetric, "loss", "perplexity", "alignment_error_rate"]

DEFAULT_BATCH_TOKENS = 640  # used when neither batch_tokens nor batch_sentences is written
DEFAULT_MIN_STEPS = 4000  # used when neither max_epochs nor min_steps is written


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong("expected a list of two numbers")
    return tuple(value)


class OptimizerConfig(Section):
    """How parameters follow gradients."""

    kind: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="Update rule.")
    learning_rate: Positive = Field(default=0.0015, description="The highest one, which the schedule scales.")
    weight_decay: NotNegative = Field(default=0.0, description="Decoupled in adamw, an L2 penalty in adam and sgd.")
    betas: Annotated[tuple[Share, Share], BeforeValidator(_pair)] = Field(
        default=(0.9, 0.999), description="Decay of the two moments; adam and adamw."
    )
    epsilon: Positive = Field(default=1e-8, description="Keeps the division finite; adam and adamw.")
    momentum: Share = Field(default=0.0, description="sgd only.")


class ScheduleConfig(Section):
    """How the learning rate changes with time."""

    kind: Literal["constant", "cosine", "inverse_sqrt", "plateau", "luong"] = Field(
        default="cosine", description="Shape of the schedule."
    )
    warmup_steps: CountOrZero = Field(default=200, description="Steps in which the rate rises from zero.")
    minimum_ratio: ShareOrAll = Field(
        default=0.0, description="cosine: where it ends, as a share of the learning rate."
    )
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="plateau, luong: the rate is multiplied by it."
    )
    patience: CountOrZero = Field(default=1, description="plateau: validations without progress before the rate drops.")
    halve_after_epochs: Count = Field(default=8, description="luong: the rate drops after each epoch from this one on.")


class GuidedAlignmentConfig(Section):
    """Teaches the attention what gold alignments say; a number alone is the weight."""

    loss: Literal["cross_entropy", "mse"] = Field(default="cross_entropy", description="How far the two are apart.")
    weight: NotNegative = Field(default=0.0, description="Factor of this loss beside the likelihood's; 0: not used.")


def _expand_guided(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"weight": value}
    if value is None or isinstance(value, Mapping | GuidedAlignmentConfig):
        return value
    raise wrong("expected a number, or a mapping of loss and weight")


def _validate_every(value: object) -> object:
    if value == "epoch" or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong("expected the word epoch, or a number of steps")


def _not_comet(value: object) -> object:
    if value == "comet":
        raise wrong(
            "comet runs a network larger than most that are trained here, which is too slow for every validation; "
            "train with chrf, and compare kept checkpoints by `evaluate --metric comet`"
        )
    return value


def _word_or_steps(value: object) -> str:
    return "<word>" if isinstance(value, str) else "<steps>"


class TrainingConfig(Section):
    """How the model learns, and when it stops."""

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU when there is one.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Of matrix products; auto: the fastest that the device multiplies natively."
    )
    initial: Text | None = Field(
        default=None,
        description="Run (its best checkpoint) or checkpoint folder whose parameters this training begins with.",
    )
    freeze: Annotated[tuple[Text, ...], OneOrMany()] | None = Field(
        default=None,
        description="Parameters that do not learn: a pattern such as `encoder.*` or a list of them; `*` stands for any "
        "text.",
    )
    optimizer: OptimizerConfig = Field(default=OptimizerConfig(), description="Update rule.")
    schedule: ScheduleConfig = Field(default=ScheduleConfig(), description="Learning rate over time.")
    label_smoothing: Share = Field(default=0.1, description="Probability taken from the right token for all others.")
    guided_alignment: Annotated[GuidedAlignmentConfig, Shorthand(_expand_guided, {"type": "number", "minimum": 0})] = (
        Field(default=GuidedAlignmentConfig(), description="Learn attention from the `alignments` of the corpora.")
    )
    coverage_loss: NotNegative = Field(
        default=0.0, description="Factor of the penalty on looking again where one has looked; 0: none."
    )
    word_dropout: Annotated[
        WordDropoutConfig, Shorthand(expand_word_dropout, {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
    ] = Field(default=WordDropoutConfig(), description="Hide whole tokens; a number, or one number for each side.")
    scheduled_sampling: ScheduledSamplingConfig | None = Field(
        default=None, description="Tell the decoder some of its own predictions; null: only what is right."
    )
    r_drop: NotNegative = Field(
        default=0.0, description="Factor of the divergence of two passes with different dropout; 0: one pass."
    )
    minimum_risk: RiskConfig | None = Field(
        default=None, description="Learn from the expected error of drawn translations; null: from the likelihood."
    )
    clip_norm: Positive | None = Field(default=1.0, description="Largest norm of the gradient; null: any.")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Decay of an exponential moving average of the parameters, such as 0.999, which is then what is "
        "validated and kept as the model; null: none.",
    )
    batch_tokens: Count | None = Field(
        default=None,
        description="Target tokens of a batch, padding included; "
        f"{DEFAULT_BATCH_TOKENS} when batch_sentences is not set either.",
    )
    batch_sentences: Count | None = Field(default=None, description="Sentences of a batch, instead of batch_tokens.")
    accumulate: Count = Field(default=1, description="Batches per step of the optimizer.")
    max_epochs: Count | None = Field(default=17, description="Passes over the corpus; null: no such limit.")
    min_steps: Count | None = Field(
        default=None,
        description="Steps before which max_epochs ends nothing: little text is read more often; "
        f"{DEFAULT_MIN_STEPS} when max_epochs is not set either.",
    )
    max_steps: Count | None = Field(default=None, description="Steps of the optimizer; null: no such limit.")
    max_minutes: Positive | None = Field(default=None, description="Minutes of training; null: no such limit.")
    validate_every: Annotated[
        Annotated[Literal["epoch"], Tag("<word>")] | Annotated[Count, Tag("<steps>")],
        Discriminator(_word_or_steps),
        BeforeValidator(_validate_every),
    ] = Field(default="epoch", description="`epoch` or a number of steps.")
    patience: Count | None = Field(
        default=None, description="Validations without progress before training stops; null: never."
    )
    max_bad_steps: Count = Field(
        default=5, description="Steps in a row whose loss or gradient is not finite, after which training ends."
    )
    keep_best: Count = Field(default=3, description="How many of the best checkpoints stay on disk.")
    validation_metric: Annotated[ValidationMetric, BeforeValidator(_not_comet)] = Field(
        default="bleu", description="What makes a checkpoint the best, and training stop when it does not improve."
    )
    validation_metrics: (
        Annotated[tuple[Annotated[TextMetric, BeforeValidator(_not_comet)], ...], OneOrMany()] | None
    ) = Field(default=None, description="Metrics of validation besides loss, perplexity, bleu and validation_metric.")
    validation_beam_size: Count = Field(
        default=1, description="Beam of the search in validation; 1: greedy, which is several times faster."
    )
    log_every: Count = Field(default=50, description="Steps between two log lines.")
    tensorboard: bool = Field(default=False, description="Write TensorBoard files (needs the extra `tensorboard`).")
    threads: Count | None = Field(default=None, description="CPU threads; null: as torch chooses.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_that_depend(cls, value: Any) -> Any:
        if not isinstance(value, Mapping | None):
            return value
        value = dict(value or {})
        if "max_epochs" not in value:  # who writes how many epochs means as many
            value.setdefault("min_steps", DEFAULT_MIN_STEPS)
        if value.get("batch_tokens") is None and value.get("batch_sentences") is None:
            value["batch_tokens"] = DEFAULT_BATCH_TOKENS
        return value

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """One batch size, at least one way to end, and nothing without effect."""
        yield from likelihood_conflicts(self)
        if self.batch_tokens is not None and self.batch_sentences is not None:
            yield "batch_sentences", "a batch has a size in tokens or in sentences; remove this key or batch_tokens"
        if self.min_steps is not None and self.max_epochs is None:
            yield "min_steps", "holds off max_epochs, which is null; set that too, or remove this key"
        if self.max_epochs is None and self.max_steps is None:
            if self.max_minutes is None:
                yield "max_epochs", "training would never end; set max_epochs, max_steps or max_minutes"
            elif self.schedule.kind == "cosine":
                yield (
                    "schedule.kind",
                    "cosine must know its length in advance; set max_epochs or max_steps too, or use 'constant'",
                )
