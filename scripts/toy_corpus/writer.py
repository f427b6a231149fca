"""The splits of the corpus and their files."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .alignment import AlignedPair
from .sentences import Sentences

DEFAULT_SEED = 20
# Lengths (English tokens) of a split and how often each range is drawn.
_SHORT = (((4, 14), 88.0), ((15, 20), 8.0), ((21, 29), 2.5), ((30, 45), 1.5))
_LONG = (((30, 39), 4.0), ((40, 49), 3.0), ((50, 60), 2.0))
SIZES = {"train": 9000, "validation": 500, "test": 500, "test_long": 250}
# Words that are rarer than FREQUENT in the first draft of train are left out. A word of the other splits occurs
# SEEN_AT_LEAST times in train, on its side.
FREQUENT, SEEN_AT_LEAST = 12, 8


class Vocabulary:
    """The words that occur often enough in some sentence pairs."""

    def __init__(self, pairs: Sequence[AlignedPair], at_least: int) -> None:
        self._at_least = at_least
        self._counts = (
            Counter(token for pair in pairs for token in pair.en),
            Counter(token for pair in pairs for token in pair.pt),
        )

    def knows(self, pair: AlignedPair) -> bool:
        """Return whether every word of both sides occurs often enough."""
        english, portuguese = self._counts
        return all(english[token] >= self._at_least for token in pair.en) and all(
            portuguese[token] >= self._at_least for token in pair.pt
        )


def _at(ranges: Sequence[tuple[tuple[int, int], float]], point: float) -> tuple[int, int]:
    """Return the range in whose share the point lies."""
    for lengths, share in ranges:
        point -= share
        if point < 0:
            return lengths
    return ranges[-1][0]


class _Filler:
    """Fills splits with sentences that no split has yet."""

    def __init__(self, seed: int) -> None:
        self._sentences = Sentences(seed)
        self._taken: set[tuple[str, ...]] = set()

    def lengths(self, split: str) -> list[tuple[int, int]]:
        """Return the range of lengths of each sentence of a split, in the same shares everywhere."""
        ranges = _LONG if split == "test_long" else _SHORT
        total = sum(share for _, share in ranges)
        # Multiples of the golden ratio, modulo 1, spread evenly: no split has more long sentences by chance.
        points = [(number * 0.6180339887498949) % 1.0 * total for number in range(SIZES[split])]
        return [_at(ranges, point) for point in points]

    def make(self, lengths: tuple[int, int], vocabulary: Vocabulary | None) -> AlignedPair:
        """Make a new sentence of that length, from words of the vocabulary if there is one."""
        while True:
            pair = self._sentences.make(*lengths)
            if pair.en not in self._taken and (vocabulary is None or vocabulary.knows(pair)):
                self._taken.add(pair.en)
                return pair


def make_corpus(seed: int = DEFAULT_SEED) -> dict[str, list[AlignedPair]]:
    """Make all splits; no English sentence is in two of them, or twice in one.

    All splits share one vocabulary: the words that are frequent in a draft of the training split. Other sentences, of
    the same lengths and without other words, take the place of the drafts that have a rare word.
    """
    filler = _Filler(seed)
    lengths = filler.lengths("train")
    draft = [filler.make(length, None) for length in lengths]
    frequent = Vocabulary(draft, FREQUENT)
    train = [
        pair if frequent.knows(pair) else filler.make(length, frequent)
        for length, pair in zip(lengths, draft, strict=True)
    ]
    corpus, seen = {"train": train}, Vocabulary(train, SEEN_AT_LEAST)
    for split in ("validation", "test", "test_long"):
        corpus[split] = [filler.make(length, seen) for length in filler.lengths(split)]
    return corpus


def write_corpus(corpus: dict[str, list[AlignedPair]], folder: Path) -> None:
    """Write three files for each split: one sentence, one translation, one line of links."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, pairs in corpus.items():
        columns = {
            "en": [" ".join(pair.en) for pair in pairs],
            "pt": [" ".join(pair.pt) for pair in pairs],
            "align": [" ".join(f"{i}-{j}" for i, j in pair.links) for pair in pairs],
        }
        for suffix, lines in columns.items():
            # Bytes, so that line ends are the same on every system.
            (folder / f"{split}.{suffix}").write_bytes(("\n".join(lines) + "\n").encode("utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of `scripts/make_toy_corpus.py`."""
    default = Path(__file__).resolve().parents[2] / "data" / "toy"
    parser = argparse.ArgumentParser(description="Write the English-Portuguese toy corpus and its word alignments.")
    parser.add_argument("--output", type=Path, default=default, help="folder of the files (default: data/toy)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of all choices (default: %(default)s)")
    options = parser.parse_args(arguments)
    corpus = make_corpus(options.seed)
    try:
        write_corpus(corpus, options.output)
    except OSError as error:
        parser.error(f"{options.output}: cannot be written: {error.strerror}")
    for split, pairs in corpus.items():
        print(f"{split}: {len(pairs)} sentence pairs")
    return 0
