"""What a translator gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.alignment import Links

WEIGHT_DECIMALS = 4
LOG_PROB_DECIMALS = 6

Part: TypeAlias = Literal["encoder", "decoder", "cross"]
"""Who looks at whom: source at source, target at target, or target at source."""


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence.

    Attributes:
        source: the sentence as it was given.
        text: the translation.
        score: what it is ranked by: its log-probability, with length and coverage as configured; or the expected
            utility, 0 to 100, where it was chosen by minimum Bayes risk.
        log_prob: natural logarithm of the model's probability.
        tokens: target tokens, ``</s>`` included when the sentence was finished.
        source_tokens: source tokens, ``</s>`` included; the first model's in an ensemble.
        attention: weights, shape (target tokens, source tokens); rows sum to 1, or are zero
            for a model without attention. In an ensemble the mean over those that read the same source tokens.
        finished: False when the length limit cut the translation off.
        truncated: whether the source was longer than a model reads.
        alignment: links (source word, target word), both counted from 0; words are
            what whitespace separates, for subwords and characters too.
        token_log_probs: of each of ``tokens``; they sum to ``log_prob``.
    """

    source: str
    text: str
    score: float
    log_prob: float
    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]
    attention: NDArray[np.float32]
    finished: bool
    truncated: bool
    alignment: Links
    token_log_probs: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Return all of it as JSON can hold it: weights with 4 decimals, an infinite logarithm as None."""
        return {
            "source": self.source,
            "text": self.text,
            "score": rounded(self.score),
            "log_prob": rounded(self.log_prob),
            "tokens": list(self.tokens),
            "source_tokens": list(self.source_tokens),
            "token_log_probs": [rounded(log_prob) for log_prob in self.token_log_probs],
            "finished": self.finished,
            "truncated": self.truncated,
            "alignment": [list(link) for link in self.alignment],
            # in double precision, or 0.1 would be written as 0.10000000149011612
            "attention": self.attention.astype(np.float64).round(WEIGHT_DECIMALS).tolist(),
        }


@dataclass(frozen=True)
class TokenMap:
    """Where one head of one layer looked, from token to token.

    Attributes:
        part: ``cross`` (target at source), ``encoder`` (source at source) or ``decoder`` (target at target).
        layer: counted from 1, the lowest.
        head: counted from 1; 0 for the mean of all heads, or for a mechanism without heads.
        weights: shape (rows, columns).
        rows: the tokens that look. A target token's row is where the model looked to write it.
        columns: the tokens that are looked at. A decoder looks at what it has read: the token before
            the one that it writes, and those before that.
    """

    part: Part
    layer: int
    head: int
    weights: NDArray[np.float32]
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def blank(text: str) -> Translation:
    """Return the translation of a sentence without words."""
    return Translation(
        source=text,
        text="",
        score=0.0,
        log_prob=0.0,
        tokens=(),
        source_tokens=(),
        attention=np.zeros((0, 0), dtype=np.float32),
        finished=True,
        truncated=False,
        alignment=[],
        token_log_probs=(),
    )


def rounded(value: float) -> float | None:
    """Return a score or a logarithm as JSON can hold it, with 6 decimals: an infinite one as None."""
    return round(value, LOG_PROB_DECIMALS) if math.isfinite(value) else None
