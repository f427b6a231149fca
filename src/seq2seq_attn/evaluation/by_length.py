"""Scores by the length of the source sentence: where a translator breaks down.

The question of Cho et al. (2014) and of figure 2 of Bahdanau, Cho and Bengio (2015): an
encoder-decoder without attention gets worse as sentences get longer. Does this one?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.metrics import MetricOptions, MetricScore, check_metrics, score_corpus
from seq2seq_attn.evaluation.metrics.corpus import References, as_lists

_FEW = 20  # the BLEU of fewer sentences says more about them than about the translator
_MOST_BUCKETS = 8


@dataclass(frozen=True)
class LengthBucket:
    """The sentences of one range of source lengths, scored as a corpus of their own.

    Attributes:
        shortest: words of the shortest source this bucket admits.
        longest: words of the longest one, None for "any number".
        sentences: how many there are.
        mean_length: the mean number of source words among them.
        scores: by metric name.
    """

    shortest: int
    longest: int | None
    sentences: int
    mean_length: float
    scores: dict[str, MetricScore]

    @property
    def label(self) -> str:
        """The range in words: ``"1-10"``, ``"7"``, ``"> 60"``, or ``"any"`` for all of them."""
        if self.longest is None:
            return f"> {self.shortest - 1}" if self.shortest else "any"
        return str(self.longest) if self.shortest == self.longest else f"{self.shortest}-{self.longest}"

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "shortest": self.shortest,
            "longest": self.longest,
            "sentences": self.sentences,
            "mean_length": self.mean_length,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
        }


def score_by_length(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: References,
    *,
    edges: Sequence[int] | None = None,
    metrics: Sequence[str] = ("bleu",),
    options: MetricOptions | None = None,
) -> list[LengthBucket]:
    """Score sentences of like length together; every sentence is in exactly one bucket.

    Length is the number of words between white space in the source, so that systems
    with different tokenizers are compared over the same buckets.

    Args:
        sources: one line per sentence.
        hypotheses: their translations.
        references: their reference translations, or several such lists.
        edges: the longest length of each bucket but the last, which is open: ``(10, 20)``
            makes 1-10 (0-10 if a source is empty), 11-20 and > 20. By default chosen by :func:`choose_edges`.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case and tokenization; no intervals are drawn.

    Returns:
        The buckets by length. One that no sentence falls into is left out.

    Raises:
        UserError: for an unknown metric, or edges that do not ascend.
        DataError: if there is nothing to score, or the line counts differ.
    """
    several = as_lists(references)
    options = replace(options or MetricOptions(), resamples=0)
    check_metrics(metrics, options, references=len(several))
    for lines in several:
        if not len(sources) == len(hypotheses) == len(lines):
            raise DataError(
                f"there are {len(sources)} sources, {len(hypotheses)} hypotheses and {len(lines)} references; "
                "line i of each must belong to the same sentence"
            )
    if not sources:
        raise DataError("there is nothing to score: the sources, hypotheses and references are empty")
    lengths = [len(source.split()) for source in sources]
    chosen = choose_edges(lengths) if edges is None else list(edges)
    if any(low >= high for low, high in pairwise([-1, *chosen])):
        raise UserError(f"the edges between lengths must be whole numbers that ascend from 0, not {chosen}")
    first = min([1, *lengths])
    buckets = []
    for shortest, longest in zip([first, *(edge + 1 for edge in chosen)], [*chosen, None], strict=True):
        members = [
            index
            for index, length in enumerate(lengths)
            if shortest <= length and (longest is None or length <= longest)
        ]
        if members:
            scores = score_corpus(
                [hypotheses[i] for i in members],
                [[lines[i] for i in members] for lines in several],
                metrics,
                options=options,
                sources=[sources[i] for i in members],
            )
            mean = sum(lengths[i] for i in members) / len(members)
            buckets.append(LengthBucket(shortest, longest, len(members), mean, scores))
    return buckets


def choose_edges(lengths: Sequence[int]) -> list[int]:
    """Choose round edges: at most eight buckets of one width, and few sentences in none of them.

    A bucket that would hold fewer than 20 sentences (a twentieth of the corpus, when
    that is less) is joined with the next one; what is left over at the long end, with
    the last.
    """
    if not lengths:
        return []
    ascending = sorted(lengths)
    most = ascending[int(0.99 * (len(ascending) - 1))]  # a few very long sentences must not set the width
    width = next(width for width in _round_widths() if most <= width * _MOST_BUCKETS)
    fewest = max(1, min(_FEW, len(lengths) // 20))
    edges: list[int] = []
    waiting = 0
    for edge in range(width, most + width, width):
        waiting += sum(edge - width < max(length, 1) <= edge for length in lengths)
        if waiting >= fewest:
            edges.append(edge)
            waiting = 0
    beyond = sum(length > edges[-1] for length in lengths) if edges else 0
    if 0 < beyond < fewest:
        edges.pop()  # too few for an open bucket of their own
    return edges


def format_by_length(buckets: Sequence[LengthBucket]) -> str:
    """Return the buckets as a table for a terminal, the signatures under it."""
    if not buckets:
        return ""
    names = list(buckets[0].scores)
    titles = [buckets[0].scores[name].name for name in names]
    rows = [["source words", "sentences", *titles]]
    for bucket in buckets:
        scores = [f"{bucket.scores[name].score:.2f}" for name in names]
        rows.append([bucket.label, str(bucket.sentences), *scores])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines.extend(f"{title}: {buckets[0].scores[name].signature}" for name, title in zip(names, titles, strict=True))
    return "\n".join(lines)


def _round_widths() -> list[int]:
    return [step * 10**power for power in range(9) for step in (1, 2, 5)]
