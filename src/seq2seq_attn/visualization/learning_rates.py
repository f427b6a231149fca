"""The loss against the learning rate, as a range test found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.visualization.picture import check_picture_path, picture_style, save_figure, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# after Okabe and Ito: told apart by the color-blind; the lines differ in gray, too
_MARKS = (("#D55E00", "--"), ("#009E73", ":"), ("#CC79A7", "-."))


def plot_learning_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    output: Path,
    *,
    marks: Mapping[str, float],
    title: str | None = None,
) -> None:
    """Write the curve of a range test, with a line at each rate that matters.

    The upper end is cut where the loss is far above what it began with: what follows would flatten all the rest.

    Args:
        rates: of the steps, rising.
        losses: of the steps.
        smoothed: the same without their noise.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        marks: rates by the name for the legend, three at most.
        title: a line above the picture.

    Raises:
        UserError: for another file type, or a file that cannot be written.
        MissingExtra: if matplotlib is not installed.
    """
    check_picture_path(output)
    heading = visible(title) if title else None
    with picture_style([heading or ""], output) as write:
        save_figure(_figure(rates, losses, smoothed, marks, heading and write(heading)), output)


def _figure(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    marks: Mapping[str, float],
    title: str | None,
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.add_subplot()
    axes.plot(rates, losses, color="0.75", linewidth=1, label="loss of each step")
    axes.plot(rates, smoothed, color="#0072B2", linewidth=2, label="smoothed")
    for (name, rate), (color, style) in zip(marks.items(), _MARKS, strict=False):
        axes.axvline(rate, color=color, linestyle=style, label=f"{name}: {rate:.2g}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")  # matplotlib's own are formulas, and text is no formula here
    low, high = min(smoothed), max(smoothed[0], 1.5 * smoothed[0] - 0.5 * min(smoothed))
    axes.set_ylim(low - 0.1 * (high - low) - 1e-3, high + 0.1 * (high - low) + 1e-3)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss (nats per token)")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    if title:
        axes.set_title(title, fontsize=11, pad=10)
    return figure
