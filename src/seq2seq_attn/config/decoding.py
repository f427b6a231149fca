"""The `decoding` section of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from seq2seq_attn.config.types import (
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    Section,
    Seed,
    Shorthand,
    Text,
    wrong,
)


def _expand_phrases(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(value)
    raise wrong("expected a phrase or a list of phrases")


class SamplingConfig(Section):
    """Translations drawn at random from the model, instead of searched for."""

    temperature: Positive = Field(default=1.0, description="Below 1: closer to the most probable; above: more varied.")
    top_k: CountOrZero = Field(default=0, description="Draw from this many most probable tokens only; 0: from all.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Draw from the fewest tokens that have this much probability together."
    )
    seed: Seed = Field(default=1, description="Another one draws other translations.")


class MinimumRiskConfig(Section):
    """Of several candidates the translation that is most like all the others (minimum Bayes risk)."""

    utility: Literal["chrf", "bleu"] = Field(default="chrf", description="What likeness is measured by.")
    candidates: Count = Field(default=32, description="Translations of each sentence that are compared.")
    of: Literal["samples", "n-best"] = Field(
        default="samples", description="Where candidates come from: drawn as `sampling` says, or the best of the beam."
    )


class DecodingConfig(Section):
    """How translations are searched for."""

    beam_size: Count = Field(default=5, description="Hypotheses kept per sentence; 1 is greedy search.")
    length_normalization: Literal["average", "none", "gnmt", "reward"] = Field(
        default="average",
        description="What length does to a score: average: log-probability / length ** length_penalty; none; "
        "gnmt: log-probability / ((5 + length) / 6) ** length_penalty; reward: log-probability + length_penalty * "
        "length.",
    )
    length_penalty: NotNegative = Field(default=1.0, description="See length_normalization.")
    coverage_penalty: NotNegative = Field(
        default=0.0, description="Factor of the penalty (GNMT's) on source tokens that were hardly looked at; 0: none."
    )
    min_length: CountOrZero = Field(default=0, description="Fewest tokens of a translation, its end not counted.")
    min_length_ratio: NotNegative = Field(
        default=0.0, description="Fewest tokens of a translation, per token of the source."
    )
    max_length: Count | None = Field(
        default=None, description="Most tokens of a translation, its end counted; null: only max_length_ratio counts."
    )
    max_length_ratio: Positive = Field(default=2.0, description="Longest translation, in tokens per source token.")
    no_repeat_ngram: CountOrZero = Field(
        default=0, description="No sequence of this many tokens is written twice; 0: any may be."
    )
    repetition_penalty: Annotated[float, Field(ge=1)] = Field(
        default=1.0, description="Log-probabilities of tokens that were written already are multiplied by it; 1: none."
    )
    forbidden: Annotated[tuple[Text, ...], Shorthand(_expand_phrases, {"type": "string", "minLength": 1})] = Field(
        default=(), description="Phrases that no translation may hold, as whole words."
    )
    diverse_groups: Count = Field(default=1, description="Groups of the beam that avoid one another's tokens; 1: none.")
    diversity: NotNegative = Field(default=0.5, description="How much a group avoids the tokens of those before it.")
    sampling: SamplingConfig | None = Field(
        default=None, description="Draw translations at random; null: search for the best."
    )
    minimum_risk: MinimumRiskConfig | None = Field(
        default=None, description="Choose by minimum Bayes risk; null: by score."
    )
    replace_unknown: bool = Field(
        default=False, description="Let the model write the unknown token, and put the source word it looks at there."
    )
    lexicon: Text | None = Field(
        default=None,
        description="replace_unknown: a file of `source<TAB>target` words; a word that is not in it is copied.",
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        default="auto", description="Of matrix products in search; auto: the fastest that translates as float32 does."
    )
    batch_sentences: Count = Field(default=64, description="Sentences translated at once.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Limits that leave nothing, and ways to search that exclude one another."""
        if self.max_length is not None and self.min_length >= self.max_length:
            yield (
                "min_length",
                f"is {self.min_length}, but max_length is {self.max_length}, the end of the sentence counted; "
                f"set max_length to at least {self.min_length + 1}",
            )
        if self.min_length_ratio > self.max_length_ratio:
            yield (
                "min_length_ratio",
                f"is {self.min_length_ratio:g}, but max_length_ratio is {self.max_length_ratio:g}; "
                "one of them must give way",
            )
        if self.beam_size % self.diverse_groups:
            yield (
                "diverse_groups",
                f"a beam of {self.beam_size} cannot be divided into {self.diverse_groups} groups of one size; "
                f"set beam_size to a multiple of {self.diverse_groups}",
            )
        if self.lexicon is not None and not self.replace_unknown:
            yield "lexicon", "is read for unknown words only; set replace_unknown to true, or remove this key"
        if self.minimum_risk is not None and self.minimum_risk.of == "n-best":
            if self.sampling is not None:
                yield "minimum_risk.of", "candidates of the beam are not drawn; write samples, or set sampling to null"
            if self.minimum_risk.candidates > self.beam_size:
                yield (
                    "minimum_risk.candidates",
                    f"a beam of {self.beam_size} gives {self.beam_size} candidates at most, not "
                    f"{self.minimum_risk.candidates}; make beam_size larger",
                )

    def greedy(self) -> DecodingConfig:
        """Return the same limits and rules for greedy search: no beam, no chance, no second choice."""
        plain = {"beam_size": 1, "diverse_groups": 1, "sampling": None, "minimum_risk": None}
        return self.model_copy(update=plain)
