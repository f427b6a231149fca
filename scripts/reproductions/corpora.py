"""The corpora that papers are tried again on: which files they are, where those lie, and what they cannot show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq_attn.errors import DataError, UserError, did_you_mean

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = "validation_text"
"""Name of the validation text where it takes the place of test sets."""


@dataclass(frozen=True)
class Corpus:
    """A corpus and the configuration of models of a size that fits it.

    Attributes:
        name: of the corpus, of its folder, and of the file with its settings in ``configs/reproductions``.
        splits: ``train``, ``validation`` and the test sets; of each its files by what they hold.
        long_from: words of a source sentence that counts as long.
        departs: how its text differs from what the papers had.
        download: how to get it; None for a corpus that comes with the repository.
    """

    name: str
    splits: Mapping[str, Mapping[str, str]]
    long_from: int
    departs: str
    download: str | None = None

    @property
    def config(self) -> Path:
        """The file with the settings that all models on this corpus begin with."""
        return ROOT / "configs" / "reproductions" / f"{self.name}.yaml"

    @property
    def tests(self) -> tuple[str, ...]:
        """The names of its test sets; claims are about the first."""
        return tuple(name for name in self.splits if name not in ("train", "validation"))

    @property
    def has_gold(self) -> bool:
        """Whether word alignments of its test sets are known."""
        return all("alignments" in self.splits[name] for name in self.tests)

    def on_validation(self) -> Corpus:
        """Return the same corpus with its validation text in the place of test sets."""
        learned = {name: self.splits[name] for name in ("train", "validation")}
        return replace(self, splits={**learned, HELD_OUT: self.splits["validation"]})

    def overrides(self, data: Path | None) -> list[str]:
        """Say where the text is, as overrides of a configuration.

        Args:
            data: the folder of all corpora, or of this one; None is ``data`` of the repository.

        Raises:
            DataError: if a file is not there, with the way to get it.
        """
        splits = {name: self._files(files, data) for name, files in self.splits.items()}
        tests = {name: splits.pop(name) for name in self.tests}
        return [f"data.{name}={json.dumps(files)}" for name, files in (splits | {"test": tests}).items()]

    def _files(self, files: Mapping[str, str], data: Path | None) -> dict[str, str]:
        return {kind: str(self._find(name, data)) for kind, name in files.items()}

    def _find(self, name: str, data: Path | None) -> Path:
        folder = ROOT / "data" if data is None else data
        places = [folder / self.name / name, folder / name]
        for place in places:
            if place.is_file():
                return place.absolute()
        way = f"fetch it with `{self.download}`" if self.download else "it comes with the repository"
        raise DataError(
            f"{places[0]}: no such file, and the corpus {self.name} needs it; {way}, or name the folder that holds "
            f"{self.name}/{name} with --data"
        )


def _sides(split: str, *, other: str, suffix: str = "", gold: bool = False) -> dict[str, str]:
    sides = {"source": f"{split}.en{suffix}", "target": f"{split}.{other}{suffix}"}
    return sides | ({"alignments": f"{split}.align"} if gold else {})


def _german(test: str) -> dict[str, dict[str, str]]:
    """Return the splits of a corpus that ``scripts/download.py`` fetches, with its one test set."""
    files = {"train": "train", "validation": "val", test: test}
    return {split: _sides(name, other="de", suffix=".gz") for split, name in files.items()}


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "toy",
            {name: _sides(name, other="pt", gold=True) for name in ("train", "validation", "test", "test_long")},
            long_from=30,
            departs="The text is made by a grammar: 9,000 English sentences with a few hundred words and one right "
            "Portuguese translation each, where the papers have millions of sentences that people wrote.",
        ),
        Corpus(
            "multi30k",
            _german("test_2016_flickr"),
            long_from=16,
            departs="The text is 29,000 captions of pictures, about a dozen words each; the papers have millions of "
            "sentences from news and parliaments, twice as long and with far more words.",
            download="python scripts/download.py multi30k",
        ),
        Corpus(
            "tatoeba",
            _german("test"),
            long_from=12,
            departs="The text is 165,000 short sentences of everyday language; the papers have millions of sentences "
            "from news and parliaments, three times as long.",
            download="python scripts/download.py tatoeba",
        ),
    )
}
"""By name."""


def find_corpus(name: str) -> Corpus:
    """Look a corpus up.

    Raises:
        UserError: naming the nearest one.
    """
    if name not in CORPORA:
        raise UserError(f"unknown corpus {name!r}{did_you_mean(name, CORPORA)} (known: {', '.join(CORPORA)})")
    return CORPORA[name]
