#!/usr/bin/env python3
"""Write a large corpus of invented languages: `python scripts/make_big_corpus.py --output FOLDER [--pairs N]`.

For measuring what size costs. Words are drawn by Zipf's law and so are the lengths of sentences by a Poisson
law; each source word has one translation, and the target sentence is in reverse order.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from seq2seq_attn.files import file_atomic

WORDS = 50_000
MEAN_LENGTH = 10
VALIDATION_PAIRS = 1000
BLOCK = 100_000
CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"


def invent_words(count: int, generator: np.random.Generator) -> list[str]:
    """Return words, each once, of two letters and more; the frequent ones, which come first, are short."""
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = 1 + int(np.log1p(len(words)) / 3.5) + int(generator.integers(2))
        letters = zip(generator.choice([*CONSONANTS], syllables), generator.choice([*VOWELS], syllables), strict=True)
        words["".join(consonant + vowel for consonant, vowel in letters)] = None
    return list(words)


def write_pairs(folder: Path, name: str, pairs: int, generator: np.random.Generator) -> None:
    """Write two files, ``NAME.src`` and ``NAME.tgt``, with a pair of sentences in each line."""
    vocabularies = [np.array(invent_words(WORDS, np.random.default_rng(side)), dtype=object) for side in (1, 2)]
    chances = 1 / (np.arange(WORDS) + 2.7)
    reached = np.cumsum(chances / chances.sum())
    with (
        file_atomic(folder / f"{name}.src") as source,
        file_atomic(folder / f"{name}.tgt") as target,
        tqdm(total=pairs, desc=name, unit=" pairs", disable=None) as bar,
    ):
        for begin in range(0, pairs, BLOCK):
            lengths = 3 + generator.poisson(MEAN_LENGTH - 3, min(BLOCK, pairs - begin))
            drawn = np.minimum(np.searchsorted(reached, generator.random(int(lengths.sum()))), WORDS - 1)
            starts = np.concatenate(([0], np.cumsum(lengths))).tolist()
            for file, vocabulary, direction in zip((source, target), vocabularies, (1, -1), strict=True):
                file.writelines(_sentences(vocabulary[drawn], starts, direction))
            bar.update(len(lengths))


def _sentences(words: NDArray[np.object_], starts: list[int], direction: int) -> list[str]:
    every = words.tolist()
    return [" ".join(every[start:stop][::direction]) + "\n" for start, stop in pairwise(starts)]


def main() -> int:
    """Write training and validation text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder, made if there is none")
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(arguments.seed)
    write_pairs(arguments.output, "validation", VALIDATION_PAIRS, generator)
    write_pairs(arguments.output, "train", arguments.pairs, generator)
    return 0


if __name__ == "__main__":
    sys.exit(main())
