"""Where parallel text comes from: the four ways to write a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from seq2seq_attn.config.types import Count, CountOrZero, Files, Positive, Section, Text, wrong


def _tag_name(tag: str) -> str:
    if not tag.strip() or any(character.isspace() or not character.isprintable() for character in tag):
        raise wrong("expected one word, such as <2de>")
    return tag


TagName = Annotated[str, AfterValidator(_tag_name)]


class AnyCorpus(Section):
    """What every kind of corpus may have: a number of pairs, gold word alignments, a weight, a tag."""

    pairs: Count | None = Field(
        default=None, description="How many of its pairs are read, from the first one on; null: all."
    )
    alignments: Files | None = Field(
        default=None,
        description="Word alignments, in Pharaoh format (a line per pair: `0-0 1-2`) or NAACL format; a file for each "
        "file of text.",
    )
    weight: Positive = Field(
        default=1.0,
        description="Times that an epoch sees each pair, on average: 2 is every pair twice, 0.5 is half of them, the "
        "other half in the next epoch. For `data.train` only.",
    )
    tag: TagName | None = Field(
        default=None,
        description="A token put in front of every source sentence, such as `<2de>`; write it in front of what is "
        "translated.",
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Each file of text has its own alignments."""
        files = len(getattr(self, FILES_KEY[corpus_format(self)]))
        if self.alignments is not None and len(self.alignments) != files:
            yield (
                "alignments",
                f"{len(self.alignments)} files of alignments for {files} of text; name one for each, in the same order",
            )


class TextCorpus(AnyCorpus):
    """Two text files, or two lists of them: line i of one translates line i of the other."""

    source: Files = Field(description="Text file of the source language, one sentence per line; .gz is read too.")
    target: Files = Field(description="Text file of the target language, line by line with `source`.")


class TsvCorpus(AnyCorpus):
    """Tab-separated files without a header."""

    tsv: Files = Field(description="Tab-separated file, one pair per line; .gz is read too.")
    source_column: CountOrZero = Field(default=0, description="Column of the source sentence, the first one is 0.")
    target_column: CountOrZero = Field(default=1, description="Column of the target sentence.")


class JsonlCorpus(AnyCorpus):
    """Files with one JSON object per line."""

    jsonl: Files = Field(description="File with one JSON object per line; .gz is read too.")
    source: Text = Field(description="Key of the source sentence.")
    target: Text = Field(description="Key of the target sentence.")


class ParquetCorpus(AnyCorpus):
    """Parquet files (needs the extra `data`)."""

    parquet: Files = Field(description="Parquet file.")
    source: Text = Field(description="Column of the source sentence.")
    target: Text = Field(description="Column of the target sentence.")


NOT_TEXT = frozenset(AnyCorpus.model_fields)
"""The keys that do not say where the text is."""

FORMATS = ("tsv", "jsonl", "parquet")  # the key that names the files also names the format
FILES_KEY = {"text": "source"} | {name: name for name in FORMATS}


def corpus_format(value: object) -> str:
    """Return the format a corpus is written in; two text files when no format is named."""
    if isinstance(value, Mapping):
        return next((name for name in FORMATS if name in value), "text")
    return next((name for name in FORMATS if hasattr(value, name)), "text")


def _tag(value: object) -> str:
    return f"<{corpus_format(value)}>"


CorpusConfig = Annotated[
    Annotated[TextCorpus, Tag("<text>")]
    | Annotated[TsvCorpus, Tag("<tsv>")]
    | Annotated[JsonlCorpus, Tag("<jsonl>")]
    | Annotated[ParquetCorpus, Tag("<parquet>")],
    Discriminator(_tag),
]
