"""Fetch real corpora: checked, and taken up again where a download was cut.

A file grows under the name ``NAME.part`` and takes its own name only when it is whole
and its SHA-256 is the one expected. Not every publisher keeps a file as it was: where
there is no digest to expect, the archive's own checksums are tested and the digest
that was seen is written beside the corpus, in ``SOURCE.json``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from seq2seq_attn import __version__
from seq2seq_attn.data.held_out import split_pairs
from seq2seq_attn.errors import DataError, UserError, did_you_mean
from seq2seq_attn.files import write_atomic

_TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 16


@dataclass(frozen=True)
class RemoteCorpus:
    """A corpus that somebody publishes.

    Attributes:
        base_url: what the names of the files are appended to.
        files: name -> SHA-256, None where the publisher replaces the file from time to time.
        license: under which the texts may be used, and whom to credit.
        parts: what its texts are of: two for each, such as ``train.en.gz`` and ``train.de.gz``.
    """

    base_url: str
    files: dict[str, str | None]
    license: str
    parts: tuple[str, ...]

    def has(self, file: str) -> bool:
        """Say whether a file of this name is among its texts, once it has been fetched."""
        return file in {f"{part}.{language}.gz" for part in self.parts for language in ("en", "de")}


CORPORA = {
    "multi30k": RemoteCorpus(
        base_url="https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/",
        files={
            "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
            "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
            "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
            "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
            "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
            "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        },
        license="CC BY-NC-SA, https://github.com/multi30k/dataset",
        parts=("train", "val", "test_2016_flickr"),
    ),
    "tatoeba": RemoteCorpus(
        base_url="https://www.manythings.org/anki/",
        files={"deu-eng.zip": None},
        license="CC BY 2.0 FR, https://tatoeba.org; the authors of each sentence are named in deu-eng.zip",
        parts=("train", "val", "test"),
    ),
}
"""The corpora that :func:`download_corpus` knows."""


def download_corpus(
    name: str, output: Path, *, base_url: str | None = None, report: Callable[[str], None] = lambda line: None
) -> Path:
    """Put the corpus ``name`` into ``output/name``; what is there already is checked and kept.

    Args:
        name: a key of :data:`CORPORA`.
        output: the folder of all corpora.
        base_url: a mirror of the publisher's files; the digests stay the same.
        report: is given a line for each thing done.

    Returns:
        The folder of the corpus.

    Raises:
        UserError: for an unknown corpus.
        DataError: if a file cannot be fetched, or is not the one expected.
    """
    if name not in CORPORA:
        raise UserError(f"unknown corpus {name!r}{did_you_mean(name, CORPORA)} (known: {', '.join(CORPORA)})")
    corpus = CORPORA[name]
    root = (base_url or corpus.base_url).rstrip("/") + "/"
    folder = output / name
    digests = {}
    for file, expected in corpus.files.items():
        digests[file] = download(root + file, folder / file, sha256=expected, report=report)
    about: dict[str, object] = {"from": root, "sha256": digests, "license": corpus.license}
    if name == "tatoeba":
        about["pairs"] = _split_tatoeba(folder, report)
    write_atomic(folder / "SOURCE.json", json.dumps(about, indent=2) + "\n")
    report(f"{name} is in {folder}; license: {corpus.license}")
    return folder


def download(
    url: str, output: Path, *, sha256: str | None = None, report: Callable[[str], None] = lambda line: None
) -> str:
    """Fetch ``url`` into ``output``, from where an earlier attempt ended.

    Returns:
        The SHA-256 of the file.

    Raises:
        DataError: if the file cannot be fetched, or is not the one expected.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url} is not an address to fetch from: it must start with http:// or https://")
    try:
        if output.exists():
            found = _digest(output)
            if sha256 in (None, found):
                report(f"{output} is there already")
                return found
            report(f"{output} is not the file expected (SHA-256 {found}): fetching it again")
        part = output.with_name(output.name + ".part")
        found = _fetch(url, part, sha256, report)
        part.replace(output)
        _validator_of(part).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {output}: {error.strerror or error}") from error
    report(f"fetched {output}, SHA-256 {found}" + ("" if sha256 else " (there is none to compare it with)"))
    return found


def _fetch(url: str, part: Path, sha256: str | None, report: Callable[[str], None]) -> str:
    continued = _transfer(url, part, may_continue=sha256 is not None)
    found = _digest(part)
    if continued and sha256 not in (None, found):
        report(f"what an earlier attempt left in {part} does not fit: fetching all of it")
        _discard(part)
        _transfer(url, part, may_continue=False)
        found = _digest(part)
    if sha256 not in (None, found):
        _discard(part)
        raise DataError(
            f"{url} has SHA-256 {found}, expected {sha256}: it was changed by its publisher or damaged on the way; "
            "what came was deleted"
        )
    return found


def _transfer(url: str, part: Path, *, may_continue: bool) -> bool:
    """Fill ``part``; tell whether it goes on from an earlier attempt."""
    start = part.stat().st_size if part.exists() else 0
    validator = _validator_of(part).read_text() if _validator_of(part).exists() else ""
    headers = {"User-Agent": f"seq2seq-attn/{__version__}", "Accept-Encoding": "identity"}
    if start and (may_continue or validator):
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator  # else the end of a new version would follow the start of the old one
    try:
        with urlopen(Request(url, headers=headers), timeout=_TIMEOUT) as response:
            continued: bool = response.status == 206
            span = response.headers.get("Content-Range", "")
            if continued and not span.startswith(f"bytes {start}-"):
                raise DataError(f"cannot fetch {url}: asked for what follows byte {start}, the server sent {span!r}")
            _save(response, part, start if continued else 0)
            return continued
    except HTTPError as error:
        error.close()
        if error.code == 416 and "Range" in headers:
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return True  # all of it had come before
            _discard(part)
            return _transfer(url, part, may_continue=False)
        raise DataError(f"cannot fetch {url}: the server answered {error.code} {error.reason}") from error
    except URLError as error:
        why = getattr(error.reason, "strerror", None) or error.reason
        raise DataError(f"cannot fetch {url}: {why}; is there a network?") from error
    except (HTTPException, ConnectionError, TimeoutError, SSLError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot fetch {url}: {why}; what came is kept in {part}, and the same command goes on from there"
        ) from error


def _save(response: HTTPResponse, part: Path, start: int) -> None:
    etag = response.headers.get("ETag", "")
    # a weak tag promises no equal bytes
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    part.parent.mkdir(parents=True, exist_ok=True)  # now: a failed request leaves no empty folder
    _validator_of(part).write_text(validator)
    total = start + response.length if response.length is not None else None
    bar = tqdm(
        total=total, initial=start, unit="B", unit_scale=True, desc=part.name.removesuffix(".part"), mininterval=0.5
    )
    with bar, part.open("ab" if start else "wb") as file:
        while block := response.read(_BLOCK):
            file.write(block)
            bar.update(len(block))
        size = file.tell()
    if total is not None and size < total:
        raise ConnectionError(f"the connection was cut after {size} of {total} bytes")


def _validator_of(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_of(part).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _split_tatoeba(folder: Path, report: Callable[[str], None]) -> dict[str, int]:
    archive = folder / "deu-eng.zip"
    try:
        with zipfile.ZipFile(archive) as opened:
            text = opened.read("deu.txt").decode("utf-8")  # checks the CRC
    except (zipfile.BadZipFile, KeyError, EOFError, UnicodeDecodeError) as error:
        archive.unlink()
        raise DataError(f"{archive} is not the archive expected ({error}); it was deleted, try again") from error
    columns = [line.split("\t") for line in text.split("\n")]
    parts = split_pairs((row[0].strip(), row[1].strip()) for row in columns if len(row) >= 2)
    for part, pairs in parts.items():
        for side, language in enumerate(("en", "de")):
            lines = "".join(f"{pair[side]}\n" for pair in pairs)
            write_atomic(folder / f"{part}.{language}.gz", gzip.compress(lines.encode(), mtime=0))
    counts = {part: len(pairs) for part, pairs in parts.items()}
    report("split into " + ", ".join(f"{count} pairs for {part}" for part, count in counts.items()))
    return counts
