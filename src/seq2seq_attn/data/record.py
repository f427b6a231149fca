"""What made a folder: written beside what it holds, so that a later start knows whether it still fits."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from seq2seq_attn.config.corpora import NOT_TEXT, CorpusConfig, corpus_format
from seq2seq_attn.data.corpus import corpus_files
from seq2seq_attn.data.lines import open_file
from seq2seq_attn.files import write_atomic

RECORD_FILE = "made_of.json"

_CLOCK_STEP = 2_000_000_000  # nanoseconds; the coarsest clock of a file system in use

Record = dict[str, Any]


def changes(folder: Path, record: Record) -> str:
    """Say why what ``folder`` holds cannot be reused; an empty text means that it can."""
    if not folder.exists():
        return "there is none yet"
    old = read_record(folder)
    if not old:
        return "nothing says what the old one was made of"
    different = [key for key, value in record.items() if old.get(key) != value]
    return f"changed since: {', '.join(different)}" if different else ""


def read_record(folder: Path) -> Record:
    """Read what :func:`write_record` wrote; empty when there is none."""
    try:
        record = json.loads((folder / RECORD_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(folder: Path, record: Record) -> None:
    """Write down what ``folder`` is made of."""
    write_atomic(folder / RECORD_FILE, json.dumps(record, indent=2) + "\n")


class Digests:
    """Digests of files; one that has not changed since it was digested is not read again.

    A file has not changed if size, times and number on the disk are the same, as for ``git``.

    Args:
        known: what :attr:`found` was, an earlier time.
    """

    def __init__(self, known: object = None) -> None:
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        self.found: dict[str, list[Any]] = {}

    def of(self, path: str | Path) -> str:
        """Digest the contents of a file.

        Raises:
            DataError: if it is missing or cannot be read.
        """
        name = str(Path(path).absolute())
        started = time.time_ns()
        with open_file(path) as file:
            stat = os.fstat(file.fileno())
            state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
            match self._known.get(name):
                case [*old, str(known)] if old == state:
                    digest = known
                case _:
                    digest = _digest(file)
        # what changed a moment ago may change again without another time
        if max(stat.st_mtime_ns, stat.st_ctime_ns) < started - _CLOCK_STEP:
            self.found[name] = [*state, digest]
        return digest


def digest_corpus(corpus: Iterable[CorpusConfig], digests: Digests) -> str:
    """Digest what a corpus says, wherever its files lie."""
    total = hashlib.sha256()
    for part in corpus:
        files = corpus_files(part)
        kind = corpus_format(part)
        columns = {} if kind == "text" else part.model_dump(mode="json", exclude={kind, *NOT_TEXT})
        first = {} if part.pairs is None else {"pairs": part.pairs}
        total.update(json.dumps([kind, columns | first, len(files)], sort_keys=True).encode())
        for path in files:
            total.update(digests.of(path).encode())
    return total.hexdigest()


def digest_alignments(corpus: Iterable[CorpusConfig], digests: Digests) -> str | None:
    """Digest what the alignments of a corpus say, wherever their files lie; None where there are none."""
    files = [part.alignments or () for part in corpus]
    if not any(files):
        return None
    total = hashlib.sha256()
    for paths in files:
        total.update(json.dumps([digests.of(path) for path in paths]).encode())
    return total.hexdigest()


def digest_folder(folder: Path) -> str:
    """Digest the names and contents of the files in ``folder``, its record left out."""
    total = hashlib.sha256()
    digests = Digests()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != RECORD_FILE:
            total.update(f"{path.relative_to(folder).as_posix()} {digests.of(path)}\n".encode())
    return total.hexdigest()


def _digest(file: IO[bytes]) -> str:
    total = hashlib.sha256()
    while block := file.read(1 << 20):
        total.update(block)
    return total.hexdigest()
