"""Translate a stream of lines: in order, as soon as possible, in constant memory."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tqdm import tqdm

from seq2seq_attn.alignment import pharaoh
from seq2seq_attn.data.corpus import read_lines, read_stream
from seq2seq_attn.files import check_output, file_atomic
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Translation, Translator

BATCHES = 16  # of sentences that are read ahead, so that those of like length can be put together


def translate_stream(
    translator: Translator,
    *,
    source: Path | None,
    output: Path | None,
    alignments: Path | None,
    beam_size: int | None,
    n_best: int,
    with_scores: bool,
) -> None:
    """Translate the lines of ``source`` or standard input to ``output`` or standard output.

    A file appears under its name when it is complete. What is on standard output is flushed
    as it becomes ready: a program that writes one line and waits gets its answer.

    Raises:
        DataError: if a line is not UTF-8, or the file is missing.
        ConfigError: if the search cannot be made as asked for.
    """
    translator.translate([], beam_size=beam_size)  # wrong numbers are refused before anything is read
    most = translator.decoding.batch_sentences * BATCHES
    lines = read_stream(_standard_input(), "standard input") if source is None else read_lines(source)
    for path in (output, alignments):
        if path is not None:
            check_output(path)
    with ExitStack() as stack:
        to = sys.stdout if output is None else stack.enter_context(file_atomic(output))
        links = None if alignments is None else stack.enter_context(file_atomic(alignments))
        bar = stack.enter_context(tqdm(desc="translating", unit="sentence", disable=None, leave=False))
        number = 0
        for texts in _as_they_come(lines, most):
            found = translator.n_best(texts, count=n_best, beam_size=beam_size)
            for candidates in found:
                number += 1
                _warn(candidates[0], number)
                to.writelines(_line(candidate, with_scores) for candidate in candidates)
                if links is not None:
                    links.writelines(pharaoh(candidate.alignment) + "\n" for candidate in candidates)
            to.flush()
            bar.update(len(texts))


def _standard_input() -> IO[bytes]:
    """Open standard input once more.

    A thread waits for its lines, perhaps still when the program ends; then Python takes the lock
    of its own stream, and would abort if the thread held it.
    """
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # not a file: a program has put something else there
        return sys.stdin.buffer


def _line(found: Translation, with_scores: bool) -> str:
    # a translation that spells a line end would break the order of all lines behind it
    text = " ".join(found.text.splitlines())
    return f"{found.score:.4f}\t{text}\n" if with_scores else f"{text}\n"


def _warn(found: Translation, number: int) -> None:
    if found.truncated:
        tqdm.write(
            f"line {number}: only the first {MAX_SOURCE_TOKENS - 1} tokens were translated; split the line",
            file=sys.stderr,
        )


def _as_they_come(lines: Iterable[str], most: int) -> Iterator[Sequence[str]]:
    """Group what can be read without waiting, ``most`` lines at a time."""
    ready: queue.Queue[str | BaseException | None] = queue.Queue(maxsize=most)

    def read() -> None:
        try:
            for line in lines:
                ready.put(line)
            ready.put(None)
        except BaseException as error:  # raised again where the lines are used
            ready.put(error)

    threading.Thread(target=read, name="lines", daemon=True).start()
    ended = False
    while not ended:
        items = [ready.get()]
        while len(items) < most:
            try:
                items.append(ready.get_nowait())
            except queue.Empty:
                break
        texts = [item for item in items if isinstance(item, str)]
        if texts:
            yield texts
        last = items[-1]
        if isinstance(last, BaseException):
            raise last
        ended = last is None
