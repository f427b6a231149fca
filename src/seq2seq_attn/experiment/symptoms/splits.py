"""Symptoms of how splits go together: leaks, languages in each other's place, text that is no translation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from seq2seq_attn.config.schema import DataConfig, TextCorpus
from seq2seq_attn.experiment.symptoms.facts import Split
from seq2seq_attn.experiment.symptoms.finding import Finding, fine, grade, percent, unchecked

LEAK_WARNING = 0.01
"""One sentence in a hundred that was learned by heart can lift a score by about as much."""

LEAK_PROBLEM = 0.10
"""With one in ten, the score says how well the model remembers."""

SAME_SOURCES = 0.10
"""Sources that training knows with another translation; short everyday sentences do occur twice."""

SWAPPED_WARNING = 0.02
"""Pairs in the wrong direction; single ones are names, citations and lines in a third language."""

SWAPPED_PROBLEM = 0.20
"""One in five is a file in the other's place."""

SWAPPED_MARGIN = 0.3
"""Nats per three characters by which the wrong language must fit better, on both sides of a pair."""

LONG_ENOUGH = 20  # characters from which on a text shows its language

UNTRANSLATED_WARNING = 0.01
"""Pairs whose target repeats the source teach copying; of all noise they hurt a neural model most
(Khayrallah and Koehn 2018, "On the Impact of Various Types of Noise on Neural Machine Translation")."""

UNTRANSLATED_PROBLEM = 0.10
"""One in ten."""


@dataclass(frozen=True)
class Shared:
    """What a split has in common with the training text.

    Attributes:
        name: the split.
        size: its sentence pairs.
        pairs: those that are in the training text, too, with the same translation.
        sources: those whose source is.
    """

    name: str
    size: int
    pairs: int
    sources: int


def check_leak(shared: Shared) -> Finding:
    """Has the model been trained on what it is judged on?"""
    size = max(shared.size, 1)
    pairs, sources = shared.pairs / size, shared.sources / size
    numbers = {f"{shared.name}.pairs": pairs, f"{shared.name}.sources": sources}
    evidence = (
        f"{shared.pairs:,} of {shared.size:,} pairs of {shared.name} ({percent(pairs)}) are in the training text; "
        f"of {shared.sources:,} ({percent(sources)}) the source is"
    )
    severity = grade(pairs, LEAK_WARNING, LEAK_PROBLEM)
    mend = f"remove the sentences of {shared.name} from data.train, and train again"
    if severity is not None:
        message = f"the model was trained on sentences of {shared.name}; its score there says too much"
        return Finding(severity, "leak", message, evidence, mend, numbers)
    if sources >= SAME_SOURCES:
        message = f"the model has seen sources of {shared.name} with another translation"
        return Finding("note", "leak", message, evidence, mend, numbers)
    return fine("leak", evidence, **numbers)


def check_swapped(train: Split, splits: Sequence[Split]) -> list[Finding]:
    """Are source and target in each other's place, in a part of the training text or in another split?"""
    source_text = _Language(source for source, _ in train.pairs)
    target_text = _Language(target for _, target in train.pairs)
    findings = []
    for split in splits:
        judged = [pair for pair in split.pairs if min(map(len, pair)) >= LONG_ENOUGH]
        if not judged:
            why = f"{split.name} has no sentence of {LONG_ENOUGH} characters, too little to know a language by"
            findings.append(unchecked("swapped languages", why))
            continue
        swapped = [
            source_text.fit(target) - target_text.fit(target) > SWAPPED_MARGIN
            and target_text.fit(source) - source_text.fit(source) > SWAPPED_MARGIN
            for source, target in judged
        ]
        share = sum(swapped) / len(judged)
        numbers = {f"{split.name}.swapped": share}
        severity = grade(share, SWAPPED_WARNING, SWAPPED_PROBLEM)
        evidence = f"{percent(share)} of {len(judged):,} pairs of {split.name} look swapped"
        if severity is None:
            findings.append(fine("swapped languages", evidence, **numbers))
            continue
        example = next(pair for pair, is_swapped in zip(judged, swapped, strict=True) if is_swapped)
        evidence += f", for example the source {example[0][:60]!r}"
        message = f"{split.name} has the source language on the target side"
        mend = f"exchange source and target of these lines or files in data.{_key(split.name)}"
        findings.append(Finding(severity, "swapped languages", message, evidence, mend, numbers))
    return findings


def check_file_names(data: DataConfig) -> Finding:
    """Do the suffixes of the files say that a language is on the wrong side?"""
    languages = (data.source_language, data.target_language)
    for name, corpora in (("train", data.train), ("validation", data.validation), *data.test.items()):
        for corpus in corpora if isinstance(corpora, tuple) else (corpora,):
            if not isinstance(corpus, TextCorpus):
                continue
            for source, target in zip(corpus.source, corpus.target, strict=False):
                if _named(source, languages[::-1]) and _named(target, languages):
                    return Finding(
                        "warning",
                        "swapped languages",
                        f"the files of {name} are named after the language of the other side",
                        f"source {source}, target {target}, but data.source_language is {languages[0]!r} and "
                        f"data.target_language {languages[1]!r}",
                        f"exchange source and target in data.{_key(name)}, or the two languages",
                    )
    return fine("swapped languages", "no file is named after the language of the other side")


def _named(path: str, languages: Sequence[str]) -> bool:
    """Tell whether a file's name holds the first language as a part between dots, and not the second."""
    parts = PurePath(path).name.split(".")[1:]
    return languages[0] in parts and languages[1] not in parts


def check_untranslated(train: Split) -> Finding:
    """Does the training text teach copying?"""
    same = [source for source, target in train.pairs if source.strip() == target.strip()]
    share = len(same) / max(len(train.pairs), 1)
    evidence = f"{percent(share)} of {len(train.pairs):,} training pairs have the source as their target"
    severity = grade(share, UNTRANSLATED_WARNING, UNTRANSLATED_PROBLEM)
    if severity is None:
        return fine("untranslated pairs", evidence, untranslated=share)
    return Finding(
        severity,
        "untranslated pairs",
        "the training text teaches copying",
        f"{evidence}, for example {same[0][:60]!r}",
        "remove pairs with equal sides from data.train",
        {"untranslated": share},
    )


class _Language:
    """How three characters in a row are distributed in a text: enough to tell two languages apart."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts: Counter[str] = Counter()
        for text in texts:
            self._counts.update(_trigrams(text))
        self._total = sum(self._counts.values()) + len(self._counts) + 1

    def fit(self, text: str) -> float:
        """Return the mean log-probability of the text's trigrams, with one added to every count."""
        found = _trigrams(text)
        return sum(math.log((self._counts[three] + 1) / self._total) for three in found) / len(found)


def _trigrams(text: str) -> list[str]:
    padded = f" {text.strip()} "
    return [padded[begin : begin + 3] for begin in range(max(len(padded) - 2, 1))]


def _key(name: str) -> str:
    return name if name in ("train", "validation") else f"test.{name}"
