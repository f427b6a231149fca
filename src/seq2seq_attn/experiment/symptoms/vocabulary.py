"""Symptoms of the vocabulary: unknown tokens, tokens that training hardly ever sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_attn.config.schema import TokenizerConfig
from seq2seq_attn.experiment.symptoms.facts import Side, Split
from seq2seq_attn.experiment.symptoms.finding import Finding, fine, grade, percent

UNKNOWN_WARNING = 0.02
"""One token in fifty: about every fifth sentence of 12 tokens has a hole in it."""

UNKNOWN_PROBLEM = 0.05
"""One token in twenty: about every other sentence of 14 tokens has a hole in it."""

FEW = 5
"""A token that training sees fewer times than this has learned next to nothing."""

RARE_SHARE = 0.5
"""When half of the vocabulary is rarer than that, most parameters of the embeddings are noise."""

UNSEEN_SHARE = 0.2
"""A tokenizer that was learned from the training text leaves few of its tokens unused in it."""

MISMATCH = 0.05
"""Running tokens that training hardly knows, beyond their share in training itself: one in twenty more."""


def check_unknown(splits: Sequence[Split], tokenizer: TokenizerConfig) -> list[Finding]:
    """How much of the text can the model neither read nor write?"""
    findings = []
    for split in splits:
        shares = {name: side.unknown for name, side in split.sides}
        severity = grade(max(shares.values()), UNKNOWN_WARNING, UNKNOWN_PROBLEM)
        evidence = ", ".join(f"{percent(share)} of the {name} tokens" for name, share in shares.items())
        numbers = {f"{split.name}.{name}": share for name, share in shares.items()}
        if severity is None:
            findings.append(fine("unknown tokens", f"{split.name}: {evidence} are unknown", **numbers))
            continue
        message = f"{split.name} holds tokens that the vocabulary does not have; they can be neither read nor written"
        mend = _mend_unknown(tokenizer)
        findings.append(Finding(severity, "unknown tokens", message, f"{evidence} are unknown", mend, numbers))
    return findings


def _mend_unknown(tokenizer: TokenizerConfig) -> str:
    if tokenizer.kind == "sentencepiece":
        if tokenizer.character_coverage < 1:
            return f"tokenizer.character_coverage: 1.0 (now {tokenizer.character_coverage})"
        return (
            "the text holds characters that data.train does not: look for another encoding, "
            "another script, or add such text to data.train"
        )
    larger = f"tokenizer.vocabulary_size: {2 * tokenizer.vocabulary_size} (now {tokenizer.vocabulary_size})"
    if tokenizer.minimum_frequency > 1:
        larger = f"tokenizer.minimum_frequency: 1 (now {tokenizer.minimum_frequency}), or {larger}"
    return f"tokenizer.kind: sentencepiece (now {tokenizer.kind}), which has a token for every text; or {larger}"


def check_size(train: Split, tokenizer: TokenizerConfig) -> list[Finding]:
    """Is the vocabulary larger than the data can teach?"""
    if tokenizer.shared:
        both = Side(train.source.lengths, train.source.counts + train.target.counts)
        return [_size_of("both languages", both, tokenizer)]
    return [_size_of(f"the {name} language", side, tokenizer) for name, side in train.sides]


def _size_of(which: str, side: Side, tokenizer: TokenizerConfig) -> Finding:
    counts = side.learnable
    types = len(counts)
    if not types:
        return fine("vocabulary size", f"the vocabulary of {which} holds special symbols only")
    unseen, rare = float(np.mean(counts == 0)), float(np.mean(counts < FEW))
    frequent = int(np.sum(counts >= FEW))
    numbers = {"tokens": float(types), "unseen": unseen, "rare": rare, "median": float(np.median(counts))}
    evidence = (
        f"of {types:,} tokens, {percent(rare)} are seen fewer than {FEW} times in training, {percent(unseen)} never"
    )
    message = f"the vocabulary of {which} is larger than the training text can teach"
    mend = f"tokenizer.vocabulary_size: {max(frequent, 100)} (now {tokenizer.vocabulary_size}), or more text"
    if unseen >= UNSEEN_SHARE:
        return Finding("warning", "vocabulary size", message, evidence, mend, numbers)
    if rare < RARE_SHARE:
        return fine("vocabulary size", f"{which}: {evidence}", **numbers)
    if tokenizer.kind == "sentencepiece":
        return Finding("warning", "vocabulary size", message, evidence, mend, numbers)
    mend = (
        f"tokenizer.minimum_frequency: 2 (now {tokenizer.minimum_frequency}), or tokenizer.kind: sentencepiece, "
        "which writes rare words with frequent parts"
    )
    # half of the words of any text occur once or twice (Zipf), so words that do are no mistake yet
    return Finding("note", "vocabulary size", message, evidence, mend, numbers)


def check_overlap(train: Split, other: Split) -> Finding:
    """Is the text of a split made of what training has seen often?"""
    own, found = _rare_tokens(train, train), _rare_tokens(train, other)
    side = max(found, key=lambda name: found[name] - own[name])
    evidence = (
        f"{percent(found[side])} of the {side} tokens of {other.name} are seen fewer than {FEW} times in training, "
        f"where they are {percent(own[side])}"
    )
    numbers = {f"{other.name}.{name}": share for name, share in found.items()}
    if found[side] - own[side] < MISMATCH:
        return fine("vocabulary overlap", evidence, **numbers)
    return Finding(
        "warning" if other.name == "validation" else "note",
        "vocabulary overlap",
        f"{other.name} speaks of other things than the training text, or is written in another way",
        evidence,
        "compare the files: case, tokenization, encoding and topic; add text of this kind to data.train",
        numbers,
    )


def _rare_tokens(train: Split, other: Split) -> dict[str, float]:
    """Return the share of running tokens, by side, that training hardly knows; unknown ones left out."""
    shares = {}
    for (name, known), (_, side) in zip(train.sides, other.sides, strict=True):
        total = side.learnable.sum()
        shares[name] = float(side.learnable[known.learnable < FEW].sum() / total) if total else 0.0
    return shares
