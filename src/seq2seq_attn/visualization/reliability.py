"""Confidence against accuracy as a picture: a reliability diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.visualization.picture import check_picture_path, picture_style, save_figure, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# after Okabe and Ito: told apart by the color-blind, and in gray by their lightness
_ACCURACY, _GAP = "#0072B2", "#D55E00"


def draw_reliability(calibration: Calibration, output: Path, *, title: str | None = None) -> None:
    """Write a reliability diagram: accuracy by confidence above, how many predictions below.

    As figure 1 of Guo et al. (2017), https://arxiv.org/abs/1706.04599: a bar per bin as high as its
    accuracy, and what it misses of its mean confidence, or has more than that. A model whose bars all end at
    the diagonal is right as often as it is sure.

    Args:
        calibration: what is drawn.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        title: a line above the picture.

    Raises:
        UserError: for another file type, or a file that cannot be written.
        MissingExtra: if matplotlib is not installed.
    """
    check_picture_path(output)
    heading = visible(title) if title else None
    with picture_style([heading or ""], output) as write:
        save_figure(_figure(calibration, heading and write(heading)), output)


def _figure(calibration: Calibration, title: str | None) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_bins(above, calibration)
    filled = [one for one in calibration.bins if one.count]
    below.bar(
        [one.lower for one in filled],
        [one.count / calibration.count for one in filled],
        width=1 / len(calibration.bins),
        align="edge",
        color="0.6",
        edgecolor="white",
    )
    below.set_ylim(0, 1)
    below.set_xlabel("confidence")
    below.set_ylabel(f"share of\n{calibration.count:,} tokens")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    summary = f"ECE {calibration.expected_error:.4f}   MCE {calibration.maximum_error:.4f}"
    above.set_title(f"{title}\n{summary}" if title else summary, fontsize=10, pad=10)
    return figure


def _draw_bins(axes: Axes, calibration: Calibration) -> None:
    filled = [one for one in calibration.bins if one.count]
    width = 1 / len(calibration.bins)
    left = [one.lower for one in filled]
    axes.bar(
        left,
        [one.accuracy for one in filled],
        width=width,
        align="edge",
        color=_ACCURACY,
        edgecolor="white",
        label="accuracy",
    )
    axes.bar(
        left,
        [-one.gap for one in filled],
        bottom=[one.accuracy for one in filled],
        width=width,
        align="edge",
        facecolor="none",
        edgecolor=_GAP,
        hatch="////",
        label="to the mean confidence",
    )
    axes.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_ylabel("accuracy")
    # beside the bars, where it hides none
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
