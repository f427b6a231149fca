"""The configuration: one class per section of the YAML file.

These classes (with those of `model`, `training`, `decoding` and `corpora`, which are offered here,
too) are the only place where a default is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from seq2seq_attn.config.corpora import CorpusConfig, JsonlCorpus, ParquetCorpus, TextCorpus, TsvCorpus
from seq2seq_attn.config.decoding import DecodingConfig, MinimumRiskConfig, SamplingConfig
from seq2seq_attn.config.model import (
    AttentionConfig,
    DecoderConfig,
    DropoutConfig,
    EncoderConfig,
    ModelConfig,
    TransformerConfig,
)
from seq2seq_attn.config.objectives import RiskConfig, ScheduledSamplingConfig, WordDropoutConfig, model_conflicts
from seq2seq_attn.config.training import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2seq_attn.config.types import (
    Count,
    EmptyIsNone,
    FolderName,
    OneOrMany,
    Section,
    Seed,
    Share,
    Text,
    VocabularySize,
)
from seq2seq_attn.errors import did_you_mean

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
    "MinimumRiskConfig",
    "ModelConfig",
    "OptimizerConfig",
    "ParquetCorpus",
    "RiskConfig",
    "SamplingConfig",
    "ScheduleConfig",
    "ScheduledSamplingConfig",
    "TextCorpus",
    "TokenizerConfig",
    "TrainingConfig",
    "TransformerConfig",
    "TsvCorpus",
    "WordDropoutConfig",
]


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
        default={}, description="Test sets by name; scored when training ends."
    )
    max_length: Count = Field(default=100, description="Tokens; longer training pairs are dropped and counted.")
    workers: Count | Literal["auto"] = Field(
        default="auto", description="Processes that encode the training text; `auto`: one for each core."
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """A test set must not hide another split; only what is learned can be tagged, or seen more often."""
        for name in ("train", "validation"):
            if name in self.test:
                yield f"test.{name}", f"a test set cannot be called {name!r}, which is another split; rename it"
        validation = [("validation", one) for one in self.validation]
        if len(validation) > 1:
            validation = [(f"validation.{number}", one) for number, (_, one) in enumerate(validation)]
        for key, corpus in [*validation, *((f"test.{name}", one) for name, one in self.test.items())]:
            if corpus.weight != 1:
                yield f"{key}.weight", "only what is learned from is seen more or less often; remove this key"
            if corpus.tag is not None and corpus.tag not in self.tags:
                known = f"those of data.train are {', '.join(self.tags)}" if self.tags else "data.train has none"
                meant = did_you_mean(corpus.tag, self.tags)
                yield f"{key}.tag", f"nothing is learned of the tag {corpus.tag!r}{meant}; {known}"

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the training text, each once."""
        return tuple(dict.fromkeys(part.tag for part in self.train if part.tag is not None))


class TokenizerConfig(Section):
    """How text becomes tokens."""

    reuse: Text | None = Field(
        default=None,
        description="Run whose tokenizer is taken instead of learning one; `kind` and `shared` must be its own, what "
        "else says how to learn one has no effect.",
    )
    kind: Literal["sentencepiece", "word", "character"] = Field(default="sentencepiece", description="Unit of a token.")
    algorithm: Literal["bpe", "unigram"] = Field(default="bpe", description="Subword algorithm; sentencepiece only.")
    vocabulary_size: VocabularySize = Field(
        default=8000, description="Largest number of tokens, the four special ones (pad, unk, s, /s) included."
    )
    shared: bool = Field(default=True, description="One tokenizer for both languages.")
    sampling: Share = Field(
        default=0.0,
        description="Subword regularization while training (BPE-dropout or unigram sampling); sentencepiece only.",
    )
    training_sentences: Count = Field(
        default=1_000_000,
        description="Sentences to learn subwords from; of a larger text, so many are drawn at random. Sentencepiece "
        "only: words and characters are counted in the whole text.",
    )
    minimum_frequency: Count = Field(
        default=1, description="Rarer words or characters are unknown; not for sentencepiece."
    )
    character_coverage: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of the text's characters that get a token; sentencepiece only."
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


class Config(Section):
    """A whole experiment."""

    name: FolderName = Field(default="run", description="Folder under runs/; default: the name of the file.")
    seed: Seed = Field(default=1, description="Of everything random.")
    data: DataConfig = Field(description="Which text is learnt from, and which is judged on.")
    tokenizer: TokenizerConfig = Field(default=TokenizerConfig(), description="How text becomes tokens.")
    model: ModelConfig = Field(default=ModelConfig(), description="The network.")
    training: TrainingConfig = Field(default=TrainingConfig(), description="How the model learns.")
    decoding: DecodingConfig = Field(default=DecodingConfig(), description="How translations are searched for.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Embeddings of both languages can be one only when their tokens are."""
        if self.model.tie_embeddings == "all" and not self.tokenizer.shared:
            yield (
                "model.tie_embeddings",
                "'all' needs one vocabulary for both languages; set tokenizer.shared to true, or use 'target'",
            )
        if self.decoding.replace_unknown and self.model.architecture == "rnn" and self.model.attention == "none":
            yield (
                "decoding.replace_unknown",
                "attention says which word an unknown one stands for, but model.attention is none",
            )
        for key in ("source_vectors", "target_vectors"):
            if self.tokenizer.kind == "character" and getattr(self.model, key):
                yield f"model.{key}", "vectors of words, but tokenizer.kind is 'character'; remove this key"
        if self.model.copying and not self.tokenizer.shared:
            yield (
                "model.copying",
                "a source token can be copied only where it is a target token too; set tokenizer.shared to true",
            )
        yield from model_conflicts(self.training, self.model)
