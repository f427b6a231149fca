"""Batches to measure with: those of the configuration's own text, or invented ones of such lengths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.config import Config
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.prepare import prepare
from seq2seq_attn.data.ragged import Ragged

ROOT = Path(__file__).resolve().parents[2]
FIRST_WORD = 4  # the ids below are special symbols
MEAN_LENGTH, SPREAD, SHORTEST, LONGEST = 14.0, 4.6, 4, 50
"""Tokens in an English sentence of Multi30k with 5,000 subwords: mean, standard deviation, ends (median: 13)."""
TARGET_RATIO, TARGET_SPREAD = 1.05, 0.2
"""Tokens of the German sentence to one of the English: mean, standard deviation."""
PAIRS = 10_000


@dataclass(frozen=True)
class Material:
    """What every contender is given.

    Attributes:
        groups: the batches of each step.
        vocabularies: number of source and of target tokens.
        origin: where the sentences come from, in words.
        synthetic: whether they were invented.
    """

    groups: list[list[Batch]]
    vocabularies: tuple[int, int]
    origin: str
    synthetic: bool

    @property
    def tokens(self) -> int:
        """Target tokens of all steps together, padding not counted."""
        return sum(batch.target_tokens for group in self.groups for batch in group)

    def describe(self) -> dict[str, object]:
        """Return what a reader of the numbers must know of the batches."""
        batches = [batch for group in self.groups for batch in group]
        sentences = sum(batch.size for batch in batches)
        return {
            "origin": self.origin,
            "synthetic": self.synthetic,
            "sentences_per_step": sentences / len(self.groups),
            "source_tokens_per_sentence": sum(int(batch.source_lengths.sum()) for batch in batches) / sentences,
            "target_tokens_per_sentence": self.tokens / sentences,
            "vocabularies": list(self.vocabularies),
        }


@dataclass(frozen=True)
class Stock:
    """Where batches come from.

    Attributes:
        loader: gives them, as in training.
        vocabularies: number of source and of target tokens.
        origin: where the sentences come from, in words.
        synthetic: whether they were invented.
        lengths: of all sentences, source and target, end symbols not counted.
    """

    loader: BatchLoader
    vocabularies: tuple[int, int]
    origin: str
    synthetic: bool
    lengths: tuple[NDArray[np.integer], NDArray[np.integer]]


def open_stock(config: Config, *, synthetic: bool = False) -> Stock:
    """Prepare the training text of ``config``, or invent some.

    Args:
        config: whose data, tokenizer and batch size.
        synthetic: invent sentences even where the configuration's own are there.
    """
    found = None if synthetic else _find_files(config)
    if found is None:
        size = config.tokenizer.vocabulary_size
        return _stock(
            config, _invented(config), (size, size), "invented sentences, about as long as those of Multi30k", True
        )
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        prepared = prepare(found, Path(folder), report=lambda line: None)
        sizes = len(prepared.tokenizers.source), len(prepared.tokenizers.target)
        return _stock(found, prepared.train, sizes, f"the training text of {config.name}", False)


def gather(config: Config, steps: int, *, synthetic: bool = False) -> Material:
    """Take the batches of the first ``steps`` steps of training; see :func:`open_stock`."""
    stock = open_stock(config, synthetic=synthetic)
    batches = endless(stock.loader)
    groups = [list(islice(batches, config.training.accumulate)) for _ in range(steps)]
    return Material(groups, stock.vocabularies, stock.origin, stock.synthetic)


def endless(loader: BatchLoader) -> Iterator[Batch]:
    """Give batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from loader.epoch(epoch)
        epoch += 1


def _stock(config: Config, corpus: EncodedCorpus, vocabularies: tuple[int, int], origin: str, synthetic: bool) -> Stock:
    training = config.training
    loader = BatchLoader(
        corpus, batch_tokens=training.batch_tokens, batch_sentences=training.batch_sentences, seed=config.seed
    )
    return Stock(loader, vocabularies, origin, synthetic, (corpus.source_lengths, corpus.target_lengths))


def _invented(config: Config) -> EncodedCorpus:
    generator = np.random.default_rng(config.seed)
    shape = (MEAN_LENGTH / SPREAD) ** 2
    source = generator.gamma(shape, MEAN_LENGTH / shape, PAIRS)
    target = source * generator.normal(TARGET_RATIO, TARGET_SPREAD, PAIRS)

    def side(lengths: NDArray[np.float64]) -> Ragged:
        rounded = np.clip(lengths.round(), SHORTEST, LONGEST).astype(int).tolist()
        size = config.tokenizer.vocabulary_size
        return Ragged.of([generator.integers(FIRST_WORD, size, length).tolist() for length in rounded], np.int32)

    return EncodedCorpus(side(source), side(target))


def _find_files(config: Config) -> Config | None:
    """Return the configuration with paths that exist, or None where its text is not on this machine.

    Paths are as written, or else below ``$SEQ2SEQ_ATTN_DATA`` (or ``shared/data`` beside the repository)
    in place of ``data``.
    """
    root = Path(os.environ.get("SEQ2SEQ_ATTN_DATA", ROOT.parent / "shared" / "data"))

    def place(name: str) -> str | None:
        below = root.joinpath(*Path(name).parts[1:])
        return next((str(path) for path in (Path(name), ROOT / name, below) if path.is_file()), None)

    splits: dict[str, list[dict[str, object]]] = {}
    for split, corpora in (("train", config.data.train), ("validation", config.data.validation)):
        splits[split] = []
        for corpus in corpora:
            tree: dict[str, Any] = corpus.model_dump(exclude_none=True)
            for key in tree:
                files = getattr(corpus, key)
                if isinstance(files, tuple):  # whatever is a tuple is a list of files
                    tree[key] = [place(name) for name in files]
                    if None in tree[key]:
                        return None
            splits[split].append(tree)
    data = {**config.data.model_dump(exclude={"train", "validation", "test"}), **splits}
    return config.model_copy(update={"data": type(config.data).model_validate(data)})
