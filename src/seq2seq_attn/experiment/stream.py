"""Translate a stream of lines: in order, as soon as possible, in constant memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.alignment import pharaoh
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.experiment.reading import as_they_come, read_source, with_constraints
from seq2seq_attn.files import check_output, file_atomic
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Constraint, Translation, Translator

BATCHES = 16  # of sentences that are read ahead, so that those of like length can be put together


@dataclass(frozen=True)
class Streaming:
    """Where lines come from, where translations go, and what is written of them.

    Attributes:
        source: a file; None is standard input.
        output: a file; None is standard output.
        alignments: a file for word alignments, one line per translation.
        n_best: translations of each sentence.
        scores: put the score and a tab before each.
        as_json: write an object per sentence instead, with all that is known of its translations.
        common: what all translations must have.
        constraints: a file that says for each line what its translation must have.
    """

    source: Path | None = None
    output: Path | None = None
    alignments: Path | None = None
    n_best: int = 1
    scores: bool = False
    as_json: bool = False
    common: Constraint = field(default_factory=Constraint)
    constraints: Path | None = None


def translate_stream(translator: Translator, decoding: DecodingConfig, streaming: Streaming) -> None:
    """Translate line by line.

    A file appears under its name when it is complete. What is on standard output is flushed
    as it becomes ready: a program that writes one line and waits gets its answer.

    Raises:
        DataError: if a line is not UTF-8, a file is missing, or constraints are wrong.
        UserError: if a constraint cannot be met.
        ConfigError: if the search cannot be made as asked for.
    """
    count = streaming.n_best
    # what is wrong with the request is said before anything is read
    translator.n_best([""], count=count, decoding=decoding, constraints=[streaming.common])
    translator.stepper(decoding.precision)
    for path in (streaming.output, streaming.alignments):
        if path is not None:
            check_output(path)
    with ExitStack() as stack:
        to = sys.stdout if streaming.output is None else stack.enter_context(file_atomic(streaming.output))
        links = None if streaming.alignments is None else stack.enter_context(file_atomic(streaming.alignments))
        bar = stack.enter_context(tqdm(desc="translating", unit="sentence", disable=None, leave=False))
        number = 0
        for pairs in as_they_come(_read(streaming), decoding.batch_sentences * BATCHES):
            texts, constraints = [text for text, _ in pairs], [constraint for _, constraint in pairs]
            for candidates in translator.n_best(texts, count=count, decoding=decoding, constraints=constraints):
                number += 1
                _warn(candidates[0], number)
                to.writelines(_lines(candidates, streaming))
                if links is not None:
                    links.writelines(_filled((pharaoh(found.alignment) for found in candidates), count))
            to.flush()
            bar.update(len(texts))


def _read(streaming: Streaming) -> Iterable[tuple[str, Constraint]]:
    lines = read_source(streaming.source)
    if streaming.constraints is None:
        return zip(lines, repeat(streaming.common))
    name = "standard input" if streaming.source is None else str(streaming.source)
    return with_constraints(lines, name, streaming.constraints, streaming.common)


def _lines(candidates: Sequence[Translation], streaming: Streaming) -> Iterator[str]:
    """Write what was found for one sentence."""
    if streaming.as_json:
        best = candidates[0]
        several = {"source": best.source, "translations": [found.to_dict() for found in candidates]}
        yield json.dumps(best.to_dict() if streaming.n_best == 1 else several, ensure_ascii=False) + "\n"
        return
    # a translation that spells a line end would break the order of all lines behind it
    texts = (" ".join(found.text.splitlines()) for found in candidates)
    if streaming.scores:
        scored = (f"{found.score:.4f}\t{text}" for found, text in zip(candidates, texts, strict=True))
        yield from _filled(scored, streaming.n_best)
    else:
        yield from _filled(texts, streaming.n_best)


def _filled(lines: Iterable[str], count: int) -> Iterator[str]:
    """End lines, and add empty ones where a sentence has fewer translations: so that lines can be counted."""
    found = list(lines)
    yield from (f"{line}\n" for line in found)
    yield from repeat("\n", count - len(found))


def _warn(found: Translation, number: int) -> None:
    if found.truncated:
        tqdm.write(
            f"line {number}: only the first {MAX_SOURCE_TOKENS - 1} tokens were translated; split the line",
            file=sys.stderr,
        )
