"""Translate a test set and score it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.config.schema import Config, TextCorpus
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.errors import ConfigError, did_you_mean
from seq2seq_attn.evaluation.by_length import LengthBucket, score_by_length
from seq2seq_attn.evaluation.metrics import MetricScore, check_metrics, score_corpus
from seq2seq_attn.files import write_atomic
from seq2seq_attn.translation import Translation, Translator

CHUNK = 256  # sentences between two moves of the progress bar


@dataclass(frozen=True)
class Evaluation:
    """A scored test set.

    Attributes:
        split: its name.
        pairs: sources and references.
        translations: one per pair.
        scores: by metric, each with its sacreBLEU signature.
        beam_size: of the search.
    """

    split: str
    pairs: list[SentencePair]
    translations: list[Translation]
    scores: dict[str, MetricScore]
    beam_size: int

    def by_length(self) -> list[LengthBucket]:
        """Score again, in buckets of source length."""
        return score_by_length(
            [pair.source for pair in self.pairs],
            [found.text for found in self.translations],
            [pair.target for pair in self.pairs],
            metrics=tuple(self.scores),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the scores as a machine may read them."""
        return {
            "split": self.split,
            "sentences": len(self.pairs),
            "beam_size": self.beam_size,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
        }

    def write(self, folder: Path) -> None:
        """Write hypotheses and scores as ``SPLIT.hyp`` and ``SPLIT.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(found.text.replace("\n", " ") + "\n" for found in self.translations)
        write_atomic(folder / f"{self.split}.hyp", text)
        write_atomic(folder / f"{self.split}.json", json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")


def read_split(config: Config, name: str) -> list[SentencePair]:
    """Read a split of a configuration: ``validation``, ``train``, or the name of a test set.

    Raises:
        ConfigError: if there is no split of this name.
        DataError: if its files are missing or wrong.
    """
    splits = {"validation": config.data.validation, "train": config.data.train, **config.data.test}
    if name not in splits:
        raise ConfigError(f"no split {name!r}{did_you_mean(name, splits)} (there are: {', '.join(splits)})")
    return list(read_corpus(splits[name]))


def read_files(source: Path, reference: Path) -> list[SentencePair]:
    """Read a test set from two files.

    Raises:
        DataError: if one is missing or wrong, or their numbers of lines differ.
    """
    return list(read_corpus(TextCorpus(source=(str(source),), target=(str(reference),))))


def evaluate(
    translator: Translator,
    pairs: list[SentencePair],
    *,
    split: str,
    beam_size: int | None = None,
    metrics: Sequence[str] = ("bleu",),
) -> Evaluation:
    """Translate ``pairs`` and score the translations against their targets.

    Raises:
        UserError: if a metric is unknown.
        DataError: if there is nothing to score.
    """
    check_metrics(metrics)
    translations: list[Translation] = []
    with tqdm(total=len(pairs), desc=f"translating {split}", unit="sentence", disable=None, leave=False) as bar:
        for begin in range(0, len(pairs), CHUNK):
            texts = [pair.source for pair in pairs[begin : begin + CHUNK]]
            translations += translator.translate(texts, beam_size=beam_size)
            bar.update(len(texts))
    scores = score_corpus([found.text for found in translations], [pair.target for pair in pairs], metrics=metrics)
    return Evaluation(split, pairs, translations, scores, beam_size or translator.decoding.beam_size)
