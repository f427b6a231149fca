"""The plain text of a distillation: what is translated, part by part, and what came of it."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from seq2seq_attn.config.corpora import CorpusConfig
from seq2seq_attn.data.corpus import corpus_files, read_corpus
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import DataError
from seq2seq_attn.files import file_atomic, folder_atomic

PART_LINES = 5_000
"""Lines that are translated by one process at once: what is done of them is lost when it is stopped."""


class Part(NamedTuple):
    """Some lines of a text, and where their translations are to be."""

    source: Path
    target: Path


def write_sides(corpus: CorpusConfig, folder: Path) -> None:
    """Write the sentences of a corpus, without its tag, into the files ``source`` and ``target`` of a folder.

    A folder that is there has been written whole, and stays.

    Raises:
        DataError: if a file of the corpus is missing or wrong, or nothing is in it.
    """
    if folder.is_dir():
        return
    plain = corpus.model_copy(update={"tag": None})
    with folder_atomic(folder) as aside:
        count = 0
        with _writing(aside / "source") as source, _writing(aside / "target") as target:
            for pair in read_corpus(plain):
                source.write(_line(pair.source))
                target.write(_line(pair.target))
                count += 1
        if not count:
            files = ", ".join(corpus_files(corpus))
            raise DataError(f"{files}: there are no sentence pairs in it, so nothing to translate")


def cut(text: Path, parts: Path, *, tag: str | None, at_once: int) -> list[Part]:
    """Cut a text into parts, as many as there are already if it has been cut before.

    Args:
        text: a line per sentence.
        parts: the folder to write them into.
        tag: what stands before each sentence, for the model.
        at_once: how many are translated at the same time: there are no fewer, if there are lines enough.

    Returns:
        The parts, in order.
    """
    if not parts.is_dir():
        lines = sum(1 for _ in read_lines(text))
        size = min(PART_LINES, max(1, -(-lines // at_once)))
        with folder_atomic(parts) as aside:
            iterator = read_lines(text)
            number = 0
            prefix = "" if tag is None else f"{tag} "
            while some := list(islice(iterator, size)):
                number += 1
                with _writing(aside / f"{number:05d}.source") as file:
                    file.writelines(_line(f"{prefix}{line}") for line in some)
    return [Part(path, path.with_suffix(".target")) for path in sorted(parts.glob("*.source"))]


def join(parts: list[Part], output: Path) -> None:
    """Write the translations of all parts into one file; then the parts are deleted."""
    with file_atomic(output) as file:
        for part in parts:
            file.writelines(f"{line}\n" for line in read_lines(part.target))
    shutil.rmtree(parts[0].source.parent)


def _writing(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")


def _line(text: str) -> str:
    """End a line; a line end within it, which a table may have, would part a sentence from its translation."""
    return " ".join(text.splitlines()) + "\n"
