"""Symptoms of length: pairs that were dropped, sentences that are cut, lengths that training has not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq_attn.config.schema import Config
from seq2seq_attn.experiment.symptoms.facts import Split
from seq2seq_attn.experiment.symptoms.finding import Finding, fine, grade, percent, unchecked

DROPPED_WARNING = 0.01
"""One pair in a hundred is what a limit on length is for; more is text thrown away."""

DROPPED_PROBLEM = 0.10
"""Without one pair in ten, and those the longest, the model learns another distribution of lengths."""

BEYOND = 0.99
"""Sentences longer than this share of the training sentences are of a length the model has hardly seen."""

BEYOND_SHARE = 0.10
"""One in a hundred is expected beyond that; ten times as many is another distribution."""

OUT_OF_REACH_WARNING = 0.005
"""References that the limit of search does not let be written: one in 200."""

OUT_OF_REACH_PROBLEM = 0.05
"""One in twenty."""

EXTRA = 10  # tokens that search allows on top of the ratio


def check_dropped(counts: Mapping[str, int] | None, max_length: int, splits: Sequence[Split]) -> list[Finding]:
    """How many training pairs never reached the model?

    Args:
        counts: pairs that were ``kept``, ``empty`` and ``too_long``; None where no record says it.
        max_length: ``data.max_length``.
        splits: all splits, for a limit that fits them.
    """
    if counts is None:
        return [unchecked("dropped pairs", "the record of the prepared corpus is missing (corpus/made_of.json)")]
    pairs = max(sum(counts.values()), 1)
    findings = []
    share = counts["too_long"] / pairs
    numbers = {"pairs": float(pairs), "too_long": share, "empty": counts["empty"] / pairs}
    severity = grade(share, DROPPED_WARNING, DROPPED_PROBLEM)
    if severity is not None:
        longest = max((_quantile(split, 0.995) for split in splits if split.name != "train"), default=0)
        findings.append(
            Finding(
                severity,
                "dropped pairs",
                "training pairs are dropped because they are long",
                f"{counts['too_long']:,} of {pairs:,} pairs ({percent(share)}) have more than {max_length} tokens",
                f"data.max_length: {max(2 * max_length, longest)} (now {max_length}); "
                "or a larger tokenizer.vocabulary_size, which makes fewer tokens of the same text",
                numbers,
            )
        )
    severity = grade(numbers["empty"], DROPPED_WARNING, DROPPED_PROBLEM)
    if severity is not None:
        evidence = f"{counts['empty']:,} of {pairs:,} pairs ({percent(numbers['empty'])}) have an empty side"
        mend = "look at the files of data.train: lines that are empty on one side hint at files that do not fit"
        findings.append(Finding(severity, "dropped pairs", "training pairs are empty", evidence, mend, numbers))
    lost = counts["too_long"] + counts["empty"]
    return findings or [fine("dropped pairs", f"{lost:,} of {pairs:,} training pairs are dropped", **numbers)]


def check_lengths(train: Split, other: Split) -> Finding:
    """Has training shown sentences as long as those of a split?"""
    limit = float(np.quantile(train.source.lengths, BEYOND))
    share = float(np.mean(other.source.lengths > limit)) if other.size else 0.0
    medians = [float(np.median(split.source.lengths)) if split.size else 0.0 for split in (train, other)]
    numbers = {f"{other.name}.beyond": share, "limit": limit, "median": medians[1], "train_median": medians[0]}
    evidence = (
        f"{percent(share)} of the sources of {other.name} are longer than {limit:.0f} tokens, "
        f"as {percent(float(np.mean(train.source.lengths > limit)))} in training are "
        f"(median {medians[1]:.0f}, in training {medians[0]:.0f})"
    )
    if share < BEYOND_SHARE:
        return fine("sentence lengths", evidence, **numbers)
    return Finding(
        # a test set of long sentences is often meant to be one; a validation set never
        "warning" if other.name == "validation" else "note",
        "sentence lengths",
        f"{other.name} is longer than what the model has learned from",
        evidence,
        "add sentences of such lengths to data.train, or raise data.max_length if it dropped them",
        numbers,
    )


def check_cut(splits: Sequence[Split], most: int) -> list[Finding]:
    """Are sources longer than a model reads?"""
    findings = []
    for split in splits:
        cut = int(np.sum(split.source.lengths > most - 1))
        if cut and split.name != "train":
            evidence = f"{cut:,} of {split.size:,} sources have {most} tokens or more; the rest of each is not read"
            mend = "split such lines into sentences before they are translated"
            message = f"sources of {split.name} are cut"
            findings.append(Finding("warning", "cut sources", message, evidence, mend, {f"{split.name}.cut": cut}))
    return findings or [fine("cut sources", f"no source has more than {most - 1} tokens")]


def check_reach(splits: Sequence[Split], config: Config) -> list[Finding]:
    """Does the limit of search let the references be written?"""
    ratio, longest = config.decoding.max_length_ratio, getattr(config.decoding, "max_length", None)
    findings = []
    for split in splits:
        if split.name == "train" or not split.size:
            continue
        room = np.floor(ratio * (split.source.lengths + 1)) + EXTRA
        if longest is not None:
            room = np.minimum(room, longest)
        share = float(np.mean(split.target.lengths + 1 > room))
        numbers = {f"{split.name}.out_of_reach": share}
        severity = grade(share, OUT_OF_REACH_WARNING, OUT_OF_REACH_PROBLEM)
        evidence = f"{percent(share)} of the references of {split.name} are longer than search may write"
        if severity is None:
            findings.append(fine("length limit of search", evidence, **numbers))
            continue
        needed = float(np.quantile((split.target.lengths + 1 - EXTRA) / (split.source.lengths + 1), 0.999))
        mend = f"decoding.max_length_ratio: {max(needed, ratio) + 0.1:.1f} (now {ratio})"
        if longest is not None:
            mend += f", decoding.max_length: null (now {longest})"
        message = "translations end before they are complete"
        findings.append(Finding(severity, "length limit of search", message, evidence, mend, numbers))
    return findings


def _quantile(split: Split, share: float) -> int:
    sides = [side.lengths for _, side in split.sides if len(side.lengths)]
    return max((int(np.quantile(lengths, share)) for lengths in sides), default=0)
