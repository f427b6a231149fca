"""The configuration: one class per section of the YAML file, and the only place a default is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from seq2seq_attn.config.corpora import CorpusConfig, JsonlCorpus, ParquetCorpus, TextCorpus, TsvCorpus
from seq2seq_attn.config.types import (
    Count,
    CountOrZero,
    EmptyIsNone,
    FolderName,
    NotNegative,
    OneOrMany,
    Positive,
    Section,
    Seed,
    Share,
    ShareOrAll,
    Shorthand,
    Text,
    VocabularySize,
    wrong,
)

__all__ = [
    "AttentionConfig",
    "Config",
    "CorpusConfig",
    "DataConfig",
    "DecoderConfig",
    "DecodingConfig",
    "DropoutConfig",
    "EncoderConfig",
    "JsonlCorpus",
    "ModelConfig",
    "OptimizerConfig",
    "ParquetCorpus",
    "ScheduleConfig",
    "TextCorpus",
    "TokenizerConfig",
    "TrainingConfig",
    "TsvCorpus",
]

DEFAULT_BATCH_TOKENS = 2048  # used when neither batch_tokens nor batch_sentences is written


class DataConfig(Section):
    """Which text is learnt from, and which is judged on."""

    source_language: Text = Field(description="Language translated from, for example `en`.")
    target_language: Text = Field(description="Language translated to, for example `de`.")
    train: Annotated[tuple[CorpusConfig, ...], OneOrMany()] = Field(
        description="What the model learns from: a corpus or a list of them."
    )
    validation: Annotated[tuple[CorpusConfig, ...], OneOrMany()] = Field(
        description="What decides which checkpoint is best: a corpus or a list of them."
    )
    test: Annotated[dict[FolderName, CorpusConfig], EmptyIsNone] = Field(
        default_factory=dict, description="Test sets by name; scored when training ends."
    )
    max_length: Count = Field(100, description="Tokens; longer training pairs are dropped and counted.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """A test set must not hide another split."""
        for name in ("train", "validation"):
            if name in self.test:
                yield f"test.{name}", f"a test set cannot be called {name!r}, which is another split; rename it"


class TokenizerConfig(Section):
    """How text becomes tokens."""

    kind: Literal["sentencepiece", "word", "character"] = Field("sentencepiece", description="Unit of a token.")
    algorithm: Literal["bpe", "unigram"] = Field("bpe", description="Subword algorithm; sentencepiece only.")
    vocabulary_size: VocabularySize = Field(
        8000, description="Largest number of tokens, the four special ones (pad, unk, s, /s) included."
    )
    shared: bool = Field(True, description="One tokenizer for both languages.")
    sampling: Share = Field(
        0.0,
        description="Subword regularization while training (BPE-dropout or unigram sampling); sentencepiece only.",
    )
    minimum_frequency: Count = Field(1, description="Rarer words or characters are unknown; not for sentencepiece.")
    character_coverage: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Share of the text's characters that get a token; sentencepiece only."
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Refuse options that this kind of tokenizer would ignore."""
        if self.kind == "sentencepiece":
            if self.minimum_frequency != 1:
                yield "minimum_frequency", "works with word and character tokenizers only; set it to 1"
            return
        if self.sampling != 0:
            yield "sampling", f"works with sentencepiece only, but tokenizer.kind is {self.kind!r}; set it to 0"
        if self.character_coverage != 1:
            yield (
                "character_coverage",
                f"works with sentencepiece only, but tokenizer.kind is {self.kind!r}; set it to 1",
            )


class DropoutConfig(Section):
    """The share of features that is set to zero while training; a number alone sets the first three."""

    embedding: Share = Field(0.3, description="On embeddings.")
    state: Share = Field(0.3, description="On hidden states, between layers.")
    output: Share = Field(0.3, description="On what the output layer reads.")
    variational: bool = Field(False, description="The same mask at every time step.")


def expand_dropout(value: object) -> object:
    """Write a single dropout number out as its parts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"embedding": value, "state": value, "output": value}
    if value is None or isinstance(value, Mapping | DropoutConfig):
        return value
    raise wrong("expected a number, or a mapping of embedding, state, output and variational")


class AttentionConfig(Section):
    """A mechanism put together from its parts."""

    score: Text = Field(description="How a query and a key are compared.")
    normalize: Text = Field("softmax", description="How energies become weights.")
    window: Text = Field("global", description="Which part of the source is looked at.")
    hidden_size: Count | None = Field(None, description="Features inside the score; null: the decoder's.")


def _attention_form(value: object) -> str:
    return "<parts>" if isinstance(value, Mapping | AttentionConfig) else "<name>"


def _attention_name(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise wrong("expected the name of a mechanism, or a mapping of its parts (score, normalize, window)")
    return value


AttentionName = Annotated[str, BeforeValidator(_attention_name)]


class EncoderConfig(Section):
    """Reads the source."""

    cell: Literal["lstm"] = Field("lstm", description="Recurrent cell.")
    layers: Count = Field(1, description="Stacked layers.")
    hidden_size: Count = Field(256, description="Features per direction.")
    bidirectional: bool = Field(True, description="Read from both ends.")
    residual: bool = Field(False, description="Add a layer's input to its output, from the second layer on.")


class DecoderConfig(Section):
    """Writes the target."""

    cell: Literal["lstm"] = Field("lstm", description="Recurrent cell.")
    layers: Count = Field(1, description="Stacked layers.")
    hidden_size: Count = Field(512, description="Features of the decoder state.")
    wiring: Literal["luong", "bahdanau"] | None = Field(
        None,
        description="luong: update, then attend; bahdanau: attend, then update; null: as the attention's paper.",
    )
    input_feeding: bool = Field(True, description="Feed what was attended to into the next step (luong wiring).")
    residual: bool = Field(False, description="Add a layer's input to its output, from the second layer on.")


class ModelConfig(Section):
    """The network."""

    architecture: Literal["rnn"] = Field("rnn", description="Family of models.")
    embedding_size: Count = Field(256, description="Features of an embedding.")
    tie_embeddings: Literal["none", "target", "all"] = Field(
        "none", description="target: output layer = target embedding; all: = source embedding, too."
    )
    dropout: Annotated[
        DropoutConfig, Shorthand(expand_dropout, {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
    ] = Field(default_factory=DropoutConfig, description="A number, or one number for each place.")
    encoder: EncoderConfig = Field(default_factory=EncoderConfig, description="Reads the source.")
    decoder: DecoderConfig = Field(default_factory=DecoderConfig, description="Writes the target.")
    bridge: Literal["zero", "last", "mean"] = Field("mean", description="How the encoder starts the decoder.")
    attention: Annotated[
        Annotated[AttentionName, Tag("<name>")] | Annotated[AttentionConfig, Tag("<parts>")],
        Discriminator(_attention_form),
    ] = Field("luong-general", description="Name of a mechanism (`seq2seq-attn attentions` lists them), or parts.")


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong("expected a list of two numbers")
    return tuple(value)


class OptimizerConfig(Section):
    """How parameters follow gradients."""

    kind: Literal["adam", "adamw", "sgd"] = Field("adam", description="Update rule.")
    learning_rate: Positive = Field(0.001, description="The highest one, which the schedule scales.")
    weight_decay: NotNegative = Field(0.0, description="Decoupled in adamw, an L2 penalty in adam and sgd.")
    betas: Annotated[tuple[Share, Share], BeforeValidator(_pair)] = Field(
        (0.9, 0.999), description="Decay of the two moments; adam and adamw."
    )
    epsilon: Positive = Field(1e-8, description="Keeps the division finite; adam and adamw.")
    momentum: Share = Field(0.0, description="sgd only.")


class ScheduleConfig(Section):
    """How the learning rate changes with time."""

    kind: Literal["constant", "cosine", "inverse_sqrt", "plateau", "luong"] = Field(
        "cosine", description="Shape of the schedule."
    )
    warmup_steps: CountOrZero = Field(200, description="Steps in which the rate rises from zero.")
    minimum_ratio: ShareOrAll = Field(0.0, description="cosine: where it ends, as a share of the learning rate.")
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="plateau, luong: the rate is multiplied by it."
    )
    patience: CountOrZero = Field(1, description="plateau: validations without progress before the rate drops.")
    halve_after_epochs: Count = Field(8, description="luong: the rate drops after each epoch from this one on.")


def _validate_every(value: object) -> object:
    if value == "epoch" or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong("expected the word epoch, or a number of steps")


class TrainingConfig(Section):
    """How the model learns, and when it stops."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU when there is one.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Of matrix products; auto: the fastest that the device multiplies natively."
    )
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="Update rule.")
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig, description="Learning rate over time.")
    label_smoothing: Share = Field(0.1, description="Probability taken from the right token for all others.")
    clip_norm: Positive | None = Field(1.0, description="Largest norm of the gradient; null: any.")
    batch_tokens: Count | None = Field(
        None,
        description="Target tokens of a batch, padding included; "
        f"{DEFAULT_BATCH_TOKENS} when batch_sentences is not set either.",
    )
    batch_sentences: Count | None = Field(None, description="Sentences of a batch, instead of batch_tokens.")
    accumulate: Count = Field(1, description="Batches per step of the optimizer.")
    max_epochs: Count | None = Field(30, description="Passes over the corpus; null: no such limit.")
    max_steps: Count | None = Field(None, description="Steps of the optimizer; null: no such limit.")
    max_minutes: Positive | None = Field(None, description="Minutes of training; null: no such limit.")
    validate_every: Annotated[Literal["epoch"] | Count, BeforeValidator(_validate_every)] = Field(
        "epoch", description="`epoch` or a number of steps."
    )
    patience: Count | None = Field(5, description="Validations without progress before training stops; null: never.")
    keep_best: Count = Field(3, description="How many of the best checkpoints stay on disk.")
    validation_metric: Literal["bleu", "loss"] = Field("bleu", description="What makes a checkpoint the best.")
    log_every: Count = Field(50, description="Steps between two log lines.")
    tensorboard: bool = Field(False, description="Write TensorBoard files (needs the extra `tensorboard`).")
    threads: Count | None = Field(None, description="CPU threads; null: as torch chooses.")

    @model_validator(mode="before")
    @classmethod
    def _some_batch_size(cls, value: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        if not isinstance(value, Mapping | None):
            return value
        value = dict(value or {})
        if value.get("batch_tokens") is None and value.get("batch_sentences") is None:
            value["batch_tokens"] = DEFAULT_BATCH_TOKENS
        return value

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """One batch size, and at least one way to end."""
        if self.batch_tokens is not None and self.batch_sentences is not None:
            yield "batch_sentences", "a batch has a size in tokens or in sentences; remove this key or batch_tokens"
        if self.max_epochs is None and self.max_steps is None:
            if self.max_minutes is None:
                yield "max_epochs", "training would never end; set max_epochs, max_steps or max_minutes"
            elif self.schedule.kind == "cosine":
                yield (
                    "schedule.kind",
                    "cosine must know its length in advance; set max_epochs or max_steps too, or use 'constant'",
                )


class DecodingConfig(Section):
    """How translations are searched for."""

    beam_size: Count = Field(5, description="Hypotheses kept per sentence; 1 is greedy search.")
    length_penalty: NotNegative = Field(1.0, description="log-probability / length ** length_penalty.")
    max_length_ratio: Positive = Field(2.0, description="Longest translation, in tokens per source token.")
    batch_sentences: Count = Field(64, description="Sentences translated at once.")


class Config(Section):
    """A whole experiment."""

    name: FolderName = Field("run", description="Folder under runs/; default: the name of the file.")
    seed: Seed = Field(1, description="Of everything random.")
    data: DataConfig = Field(description="Which text is learnt from, and which is judged on.")
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig, description="How text becomes tokens.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How the model learns.")
    decoding: DecodingConfig = Field(default_factory=DecodingConfig, description="How translations are searched for.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Embeddings of both languages can be one only when their tokens are."""
        if self.model.tie_embeddings == "all" and not self.tokenizer.shared:
            yield (
                "model.tie_embeddings",
                "'all' needs one vocabulary for both languages; set tokenizer.shared to true, or use 'target'",
            )
