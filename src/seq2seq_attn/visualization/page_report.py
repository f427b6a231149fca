"""The page of a report: scores, lengths, sentences, attention, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.evaluation.by_length import LengthBucket
from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.evaluation.diagnostics import MeanDiagnostics
from seq2seq_attn.evaluation.metrics import MetricScore
from seq2seq_attn.visualization.page import (
    Markup,
    definitions,
    details,
    document,
    element,
    join,
    navigation,
    picture,
    section,
    sentence,
    table,
)
from seq2seq_attn.visualization.page_attention import draw_matrix
from seq2seq_attn.visualization.page_view import attention_view, view_script, view_style

_EXPLAINED = {
    "normalized_entropy": ("entropy", "0: looks at one token; 1: at all alike"),
    "coverage_deviation": ("coverage deviation", "0: every source token is looked at alike"),
    "monotonicity": ("steps that do not go back", "1: from left to right only"),
    "kendall_tau": ("Kendall's tau of the order", "1: in the order of the source; -1: in reverse"),
    "end_share": ("weight on the end of the sentence", "where attention rests when it needs nothing"),
    "confidence": ("confidence through attention", "Rikters and Fishel (2017); 0 is best"),
}


@dataclass(frozen=True)
class Sentence:
    """A sentence with its translation.

    Attributes:
        line: its number, counted from 1.
        source: the sentence; None where it is not known.
        hypothesis: what the model wrote.
        references: what people wrote.
        score: of this sentence alone.
        weights: attention, shape (target tokens, source tokens).
        source_tokens: what was read.
        tokens: what was written.
        remark: something to know of it, such as that it was cut.
        document: the attention document of it, for a page that may be hovered over; None for a still drawing.
    """

    line: int
    source: str | None
    hypothesis: str
    references: Sequence[str]
    score: float
    weights: NDArray[np.floating]
    source_tokens: Sequence[str]
    tokens: Sequence[str]
    remark: str = ""
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SplitPage:
    """All that the page says of one test set.

    Attributes:
        name: of the test set.
        facts: what it is and how it was translated.
        scores: of the whole.
        buckets: by source length.
        length_plots: SVG files, by what they show.
        sentence_metric: the metric that single sentences are ranked by.
        samples: sentences of many lengths.
        best: those with the highest scores, the best first.
        worst: those with the lowest, the worst first.
        diagnostics: of the attention; None for a model without.
        calibration: of the model's confidence; None where it is not known.
        reliability: its plot, an SVG file.
        languages: codes of source and target language.
    """

    name: str
    facts: Mapping[str, str]
    scores: Sequence[MetricScore]
    buckets: Sequence[LengthBucket]
    length_plots: Mapping[str, bytes]
    sentence_metric: str
    samples: Sequence[Sentence]
    best: Sequence[Sentence]
    worst: Sequence[Sentence]
    diagnostics: MeanDiagnostics | None
    calibration: Calibration | None
    reliability: bytes | None
    languages: tuple[str, str]


def report_page(
    title: str, facts: Mapping[str, str], splits: Sequence[SplitPage], *, about: Mapping[str, Markup] | None = None
) -> str:
    """Return the whole page, complete in itself: it loads nothing.

    Args:
        title: of the page.
        facts: what is worth knowing of the system, by name.
        splits: the test sets.
        about: further sections, by their titles: those about the training of a run.
    """
    about = about or {}
    links = {name: f"run-{number}" for number, name in enumerate(about, start=1)}
    titles = [f"Test set {split.name}" if about else split.name for split in splits]
    links |= {name: f"set-{number}" for number, name in enumerate(titles, start=1)}
    parts = [definitions(facts)]
    if len(splits) > 1:
        parts.append(_overview(splits))
    if len(links) > 1:
        parts.append(navigation(links))
    parts += [section(name, content, identity=links[name]) for name, content in about.items()]
    parts += [_split(name, split, links[name]) for name, split in zip(titles, splits, strict=True)]
    shown = [one for split in splits for one in (*split.samples, *split.best, *split.worst)]
    if any(one.document is not None for one in shown):
        return document(title, *parts, script=view_script(), style=view_style())
    return document(title, *parts)


def smaller(split: SplitPage, times: int) -> SplitPage:
    """Return a test set with less of its attention, for a page that would be too large.

    Args:
        split: all that could be said.
        times: how often something is left out: first what can be hovered over of the worst and the best sentences,
            then their drawings, then what can be hovered over of the samples, then their drawings.
    """
    return replace(
        split,
        samples=[_less(one, times - 2) for one in split.samples],
        best=[_less(one, times) for one in split.best],
        worst=[_less(one, times) for one in split.worst],
    )


def _less(one: Sentence, times: int) -> Sentence:
    if times <= 0 or not one.weights.any():
        return one
    if times == 1:
        return replace(one, document=None)
    remark = f"{one.remark} Where the model looked is left out, or the page would be too large.".strip()
    return replace(one, document=None, weights=np.zeros((0, 0)), source_tokens=(), tokens=(), remark=remark)


def _overview(splits: Sequence[SplitPage]) -> Markup:
    names = list(dict.fromkeys(score.name for split in splits for score in split.scores))
    rows = []
    for split in splits:
        found = {score.name: _with_interval(score) for score in split.scores}
        rows.append([split.name, *(found.get(name, "") for name in names)])
    return table(["test set", *names], rows, caption="All test sets")


def _split(title: str, split: SplitPage, identity: str) -> Markup:
    parts: dict[str, Markup | None] = {
        "Scores": _scores(split),
        "By source length": _by_length(split),
        "Sample translations": _sentences(split, split.samples, first_open=True),
        f"Worst sentences, by {split.sentence_metric}": _sentences(split, split.worst),
        f"Best sentences, by {split.sentence_metric}": _sentences(split, split.best),
        "Attention": _attention(split),
        "Calibration": _calibration(split),
    }
    there = {name: part for name, part in parts.items() if part}
    places = {name: f"{identity}-{number}" for number, name in enumerate(there, start=1)}
    sections = [section(name, part, identity=places[name], level=3) for name, part in there.items()]
    return section(title, definitions(split.facts), navigation(places), *sections, identity=identity)


def _with_interval(score: MetricScore) -> str:
    if score.interval is None:
        return f"{score.score:.2f}"
    return f"{score.score:.2f} ± {score.interval.margin:.2f}"


def _scores(split: SplitPage) -> Markup:
    has_intervals = any(score.interval for score in split.scores)
    rows = []
    for score in split.scores:
        row = [score.name, f"{score.score:.2f}"]
        if has_intervals:
            found = score.interval
            row.append("" if found is None else f"{found.low:.2f} to {found.high:.2f}")
        rows.append([*row, element("span", score.signature, attributes={"class": "signature"})])
    head = ["metric", "score", *(["95 % interval"] if has_intervals else []), "signature"]
    parts = [table(head, rows, caption="Scores of the whole test set", kind="text")]
    resamples = {score.interval.resamples for score in split.scores if score.interval}
    if resamples:
        text = f"Intervals by bootstrap resampling, {max(resamples):,} samples: other sentences of the same kind."
        parts.append(element("p", text, attributes={"class": "quiet"}))
    return join(parts)


def _by_length(split: SplitPage) -> Markup | None:
    if not split.buckets:
        return None
    names = list(split.buckets[0].scores)
    rows = [
        [bucket.label, f"{bucket.sentences:,}", *(f"{bucket.scores[name].score:.2f}" for name in names)]
        for bucket in split.buckets
    ]
    titles = [split.buckets[0].scores[name].name for name in names]
    found = table(["source words", "sentences", *titles], rows, caption="Sentences of like length, scored together")
    plots = (picture(svg, f"{name}; the same numbers as in the table") for name, svg in split.length_plots.items())
    return join([found, element("div", *plots, attributes={"class": "plots"})])


def _sentences(split: SplitPage, sentences: Sequence[Sentence], *, first_open: bool = False) -> Markup | None:
    if not sentences:
        return None
    text = f"Each begins with its own {split.sentence_metric}; open it for its source, its reference"
    text += " and where the model looked while it wrote." if any(one.weights.any() for one in sentences) else "."
    shown = (_one(split, one, is_open=first_open and not number) for number, one in enumerate(sentences))
    return join([element("p", text, attributes={"class": "quiet"}), *shown])


def _one(split: SplitPage, one: Sentence, *, is_open: bool) -> Markup:
    source, target = split.languages
    rows = [
        *([] if one.source is None else [["source", sentence(one.source, source)]]),
        ["translation", sentence(one.hypothesis, target)],
        *(["reference", sentence(text, target)] for text in one.references),
    ]
    parts = [table([], rows, caption=f"line {one.line}", kind="text")]
    if one.remark:
        parts.append(element("p", one.remark))
    drawn = draw_matrix(one.weights, one.source_tokens, one.tokens)
    if drawn is not None:
        matrix = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": "attention"}
        still = element("div", drawn, attributes=matrix)
        parts.append(still if one.document is None else attention_view(one.document, still))
    elif one.weights.any():
        parts.append(element("p", "Too long to draw where the model looked.", attributes={"class": "quiet"}))
    summary = join([f"{one.score:.1f} ", sentence(one.hypothesis, target)])
    return details(summary, *parts, is_open=is_open)


def _attention(split: SplitPage) -> Markup | None:
    found = split.diagnostics
    if found is None or found.mean is None:
        return None
    values = found.mean.to_dict()
    rows = [[title, f"{values[name]:.3f}", how] for name, (title, how) in _EXPLAINED.items() if name in values]
    caption = f"Means over {found.sentences:,} sentences"
    return table(["diagnostic", "mean", "reading"], rows, caption=caption, kind="text")


def _calibration(split: SplitPage) -> Markup | None:
    found = split.calibration
    if found is None:
        return None
    text = element("p", f"{found.describe()}. Tokens are predicted behind those of the reference.")
    rows = [
        [f"{one.lower:.2f} to {one.upper:.2f}", f"{one.count:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]
        for one in found.bins
        if one.count
    ]
    bins = details("The numbers", table(["confidence", "tokens", "mean confidence", "accuracy"], rows, caption="Bins"))
    parts = [text, bins]
    if split.reliability is not None:
        parts.insert(1, picture(split.reliability, "reliability diagram; its numbers are in the table below"))
    return join(parts)
