"""The splits of the corpus and their files."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from toy_corpus.alignment import AlignedPair
from toy_corpus.sentences import Sentences

DEFAULT_SEED = 20
# Lengths (English tokens) of a split and how often each range is drawn.
_SHORT = (((4, 14), 74.0), ((15, 20), 14.0), ((21, 29), 9.8), ((30, 45), 2.2))
_LONG = (((30, 39), 4.0), ((40, 49), 3.0), ((50, 60), 2.0))
SIZES = {"train": 5000, "validation": 500, "test": 500, "test_long": 250}
# A word of the other splits has been seen this often in train, in both languages.
SEEN_AT_LEAST = 5


def make_corpus(seed: int = DEFAULT_SEED) -> dict[str, list[AlignedPair]]:
    """Make all splits; no English sentence is in two of them, or twice in one."""
    sentences = Sentences(seed)
    taken: set[tuple[str, ...]] = set()

    def fill(split: str, acceptable: Callable[[AlignedPair], bool]) -> list[AlignedPair]:
        pairs: list[AlignedPair] = []
        while len(pairs) < SIZES[split]:
            low, high = sentences.chance.weighted(_LONG if split == "test_long" else _SHORT)
            pair = sentences.make(low, high)
            if pair.en not in taken and acceptable(pair):
                taken.add(pair.en)
                pairs.append(pair)
        return pairs

    train = fill("train", lambda pair: True)
    english = Counter(token for pair in train for token in pair.en)
    portuguese = Counter(token for pair in train for token in pair.pt)

    def known(pair: AlignedPair) -> bool:
        return all(english[token] >= SEEN_AT_LEAST for token in pair.en) and all(
            portuguese[token] >= SEEN_AT_LEAST for token in pair.pt
        )

    corpus = {"train": train}
    for split in ("validation", "test", "test_long"):
        corpus[split] = fill(split, known)
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
