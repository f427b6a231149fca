"""Scores against sentence length, a line per system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.by_length import LengthBucket
from seq2seq_attn.visualization.picture import check_picture_path, picture_style, save_figure, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# after Okabe and Ito: told apart by the color-blind; the markers tell them apart in gray
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vP*"


def plot_by_length(
    series: Mapping[str, Sequence[LengthBucket]],
    output: Path,
    *,
    title: str | None = None,
    metric: str = "bleu",
) -> None:
    """Write a line per system: score by source length, in the manner of Bahdanau's figure 2.

    Args:
        series: what :func:`~seq2seq_attn.evaluation.by_length.score_by_length` gave for
            each system, by the name for the legend, which one alone does not need; all over the same sentences.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        title: a line above the picture.
        metric: which of the buckets' scores.

    Raises:
        UserError: for another file type, a file that cannot be written, or scores that are not there.
        DataError: if the systems were not scored over the same buckets.
        MissingExtra: if matplotlib is not installed.
    """
    check_picture_path(output)
    _check(series, metric)
    heading = visible(title) if title else None
    with picture_style([*map(visible, series), heading or ""], output) as write:
        names = [write(visible(name)) for name in series]
        save_figure(_figure(list(series.values()), names, heading and write(heading), metric), output)


def _check(series: Mapping[str, Sequence[LengthBucket]], metric: str) -> None:
    if not any(series.values()):
        raise UserError("there are no scores to plot")
    expected: list[tuple[str, int]] | None = None
    for name, buckets in series.items():
        if any(metric not in bucket.scores for bucket in buckets):
            raise UserError(f"the scores of {name!r} hold no {metric!r}; score with it first")
        found = [(bucket.label, bucket.sentences) for bucket in buckets]
        if expected is not None and found != expected:
            raise DataError(
                f"{name!r} was scored over other sentences than {next(iter(series))!r}: "
                f"{_describe(found)} against {_describe(expected)}"
            )
        expected = found


def _describe(buckets: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} of {label} words" for label, count in buckets) or "none"


def _figure(series: Sequence[Sequence[LengthBucket]], names: Sequence[str], title: str | None, metric: str) -> Figure:
    from matplotlib.figure import Figure

    buckets = series[0]
    figure = Figure(figsize=(max(5.0, 0.85 * len(buckets) + 1.0), 4.0))
    axes = figure.add_subplot()
    lines = []
    for index, line in enumerate(series):
        lines += axes.plot(
            range(len(line)),
            [bucket.scores[metric].score for bucket in line],
            color=_COLORS[index % len(_COLORS)],
            marker=_MARKERS[index % len(_MARKERS)],
            linestyle=("-", "--", ":")[index // len(_COLORS) % 3],
            linewidth=1.8,
            markersize=5,
            clip_on=False,  # a marker at 0 or at 100 stays whole
        )
    axes.set_xticks(
        range(len(buckets)),
        labels=[f"{bucket.label}\n(n = {bucket.sentences})" for bucket in buckets],
        fontsize=9,
    )
    axes.set_xlabel("words in the source sentence")
    axes.set_ylabel(buckets[0].scores[metric].name)
    axes.set_ylim(bottom=0.0)
    axes.margins(x=0.05)
    axes.grid(axis="y", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    if len(series) > 1:
        # beside the lines, where no line can hide behind it
        legend = axes.legend(lines, ["."] * len(lines), loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_text(name)  # set last: matplotlib hides an entry whose label begins with "_"
    if title:
        axes.set_title(title, fontsize=11, pad=12)
    return figure
