"""The attention matrix of one sentence as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.labels import label_axes, name_of_axis, reads_right_to_left, wrap
from seq2seq_attn.visualization.picture import (
    check_picture_path,
    encode_figure,
    picture_style,
    readable,
    save_figure,
    visible,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 72  # per inch
_TITLE = 11.0  # points
_LARGEST = 40.0  # inches a side; more than that no viewer opens with pleasure


def draw_attention(
    weights: NDArray[np.floating],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    output: Path,
    *,
    title: str | None = None,
    axes: tuple[str, str] = ("target", "source"),
) -> None:
    """Write the weights as a heat map: a row per target token, a column per source token.

    The color scale runs from 0 to 1 whatever the weights are, so that two pictures can be compared and attention
    that is spread thin looks thin. Small matrices show their numbers too. A source that is read from right to left
    has its first token at the right. In the manner of Bahdanau, Cho and Bengio (2015), figure 3.

    Args:
        weights: shape (target tokens, source tokens); rows sum to 1.
        source_tokens: the labels on top.
        target_tokens: the labels at the left.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        title: a line above the picture.
        axes: what the rows and the columns are, where they are not target and source.

    Raises:
        UserError: for another file type, a file that cannot be written, or no tokens.
        MissingExtra: if matplotlib is not installed.
        ValueError: if the weights do not fit the tokens.
    """
    check_picture_path(output)
    source, target = _labels(weights, source_tokens, target_tokens)
    heading = visible(title) if title else None
    with picture_style([*source, *target, heading or ""], output) as write:
        labels = [write(token) for token in source], [write(token) for token in target]
        save_figure(_figure(weights, *labels, heading and write(heading), axes), output)


def attention_image(
    weights: NDArray[np.floating], source_tokens: Sequence[str], target_tokens: Sequence[str], *, title: str
) -> bytes:
    """Return what :func:`draw_attention` writes as a PNG for the screen: the bytes of the file.

    Raises:
        UserError: if there are no tokens.
        MissingExtra: if matplotlib is not installed.
        ValueError: if the weights do not fit the tokens.
    """
    source, target = _labels(weights, source_tokens, target_tokens)
    heading = visible(title)
    with picture_style([*source, *target, heading], None) as write:
        labels = [write(token) for token in source], [write(token) for token in target]
        figure = _figure(weights, *labels, write(heading), ("target", "source"))
        return encode_figure(figure, "png", dots_per_inch=96)


def _labels(
    weights: NDArray[np.floating], source_tokens: Sequence[str], target_tokens: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the tokens as they are written beside the weights."""
    if weights.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            f"weights of shape {weights.shape} do not fit {len(target_tokens)} target tokens "
            f"and {len(source_tokens)} source tokens"
        )
    if weights.size == 0:
        raise UserError(
            f"there is no attention to draw: {weights.shape[1]} source and {weights.shape[0]} target tokens"
        )
    return [readable(token) for token in source_tokens], [readable(token) for token in target_tokens]


def _figure(
    weights: NDArray[np.floating],
    source: Sequence[str],
    target: Sequence[str],
    title: str | None,
    names: tuple[str, str],
) -> Figure:
    from matplotlib.figure import Figure

    cell = _cell_size(max(weights.shape))
    height, width = (cell * count for count in weights.shape)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    image = axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="none")
    _label(axes, source, target, cell, names)
    if max(weights.shape) <= 12:
        _write_numbers(axes, weights)
    # the matrix alone sizes the figure; labels, title and color bar stand outside and the crop takes them in
    bar_height = min(max(height, 1.2), 4.0)
    bar = figure.add_axes((1 + 0.2 / width, 1 - bar_height / height, 0.14 / width, bar_height / height))
    figure.colorbar(image, cax=bar, label="attention weight")
    if title:
        axes.set_title(wrap(title, max((width + 1.5) * _POINTS / _TITLE, 23.0)), fontsize=_TITLE, pad=12)
    return figure


def _cell_size(longest: int) -> float:
    """Inches per token: generous while there is room, never more than a picture can hold."""
    wanted = 0.5 if longest <= 12 else 0.34 if longest <= 30 else 0.24
    return min(wanted, _LARGEST / longest)


def _label(axes: Axes, source: Sequence[str], target: Sequence[str], cell: float, names: tuple[str, str]) -> None:
    size = min(max(cell * _POINTS * 0.6, 5.0), 11.0)
    step = max(1, math.ceil(size / (cell * _POINTS)))  # hundreds of tokens: label every few
    mirrored = reads_right_to_left(source)
    label_axes(axes, source, target, size=size, every=step, slanted=cell >= 0.5, right_to_left=mirrored)
    axes.set_ylabel(names[0], labelpad=8)
    axes.set_xlabel(name_of_axis(names[1], right_to_left=mirrored), labelpad=8)
    if cell < 0.15:
        return  # lines between cells this small would be all that is seen
    axes.set_xticks([edge - 0.5 for edge in range(len(source) + 1)], minor=True)
    axes.set_yticks([edge - 0.5 for edge in range(len(target) + 1)], minor=True)
    axes.grid(which="minor", color="0.85", linewidth=0.5)


def _write_numbers(axes: Axes, weights: NDArray[np.floating]) -> None:
    for (row, column), weight in np.ndenumerate(weights):
        if weight >= 0.005:
            color = "white" if weight > 0.55 else "0.25"
            axes.text(column, row, f"{weight:.2f}", ha="center", va="center", fontsize=8, color=color)
