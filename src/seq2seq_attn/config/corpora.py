"""Where parallel text comes from: the four ways to write a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from seq2seq_attn.config.types import CountOrZero, Files, Section, Text


class Aligned(Section):
    """What every kind of corpus may have: gold word alignments."""

    alignments: Files | None = Field(
        default=None,
        description="Word alignments, in Pharaoh format (a line per pair: `0-0 1-2`) or NAACL format; a file for each "
        "file of text.",
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Each file of text has its own alignments."""
        files = len(getattr(self, FILES_KEY[corpus_format(self)]))
        if self.alignments is not None and len(self.alignments) != files:
            yield (
                "alignments",
                f"{len(self.alignments)} files of alignments for {files} of text; name one for each, in the same order",
            )


class TextCorpus(Aligned):
    """Two text files, or two lists of them: line i of one translates line i of the other."""

    source: Files = Field(description="Text file of the source language, one sentence per line; .gz is read too.")
    target: Files = Field(description="Text file of the target language, line by line with `source`.")


class TsvCorpus(Aligned):
    """Tab-separated files without a header."""

    tsv: Files = Field(description="Tab-separated file, one pair per line; .gz is read too.")
    source_column: CountOrZero = Field(default=0, description="Column of the source sentence, the first one is 0.")
    target_column: CountOrZero = Field(default=1, description="Column of the target sentence.")


class JsonlCorpus(Aligned):
    """Files with one JSON object per line."""

    jsonl: Files = Field(description="File with one JSON object per line; .gz is read too.")
    source: Text = Field(description="Key of the source sentence.")
    target: Text = Field(description="Key of the target sentence.")


class ParquetCorpus(Aligned):
    """Parquet files (needs the extra `data`)."""

    parquet: Files = Field(description="Parquet file.")
    source: Text = Field(description="Column of the source sentence.")
    target: Text = Field(description="Column of the target sentence.")


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
