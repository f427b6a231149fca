"""Many small attention matrices in one picture, to be compared at a glance."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.labels import label_axes, reads_right_to_left
from seq2seq_attn.visualization.picture import check_picture_path, picture_style, readable, save_figure, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL = 0.15  # inches per token
_FONT = 6.5
_LETTER = 0.056  # inches that a letter of this font takes, about
_TITLE_FONT = 8.5
_LINE = 0.15  # inches from one line of a title to the next
_LARGEST = 60  # tokens a side; more than that nobody can read in a small picture


@dataclass(frozen=True)
class Panel:
    """One matrix of a gallery.

    Attributes:
        title: what stands above it.
        weights: shape (target tokens, source tokens).
        source_tokens: the labels on top.
        target_tokens: the labels at the left.
    """

    title: str
    weights: NDArray[np.floating]
    source_tokens: Sequence[str]
    target_tokens: Sequence[str]


def draw_gallery(panels: Sequence[Panel], output: Path, *, columns: int = 4, title: str | None = None) -> None:
    """Write heat maps side by side, a row per target token, a column per source token.

    All have one color scale, from 0 to 1, and cells of one size, so what looks darker is.

    Args:
        panels: the matrices, row by row.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        columns: panels beside one another.
        title: a line above the picture.

    Raises:
        UserError: for another file type, a file that cannot be written, nothing to draw, or sentences
            too long for small pictures.
        MissingExtra: if matplotlib is not installed.
        ValueError: if weights do not fit their tokens.
    """
    check_picture_path(output)
    _check(panels)
    shown = [
        Panel(
            visible(panel.title),
            panel.weights,
            [readable(token, limit=14) for token in panel.source_tokens],
            [readable(token, limit=14) for token in panel.target_tokens],
        )
        for panel in panels
    ]
    heading = visible(title) if title else None
    texts = [text for panel in shown for text in (panel.title, *panel.source_tokens, *panel.target_tokens)]
    with picture_style([*texts, heading or ""], output) as write:
        drawn = [
            Panel(
                write(panel.title),
                panel.weights,
                [write(token) for token in panel.source_tokens],
                [write(token) for token in panel.target_tokens],
            )
            for panel in shown
        ]
        save_figure(_figure(drawn, max(1, min(columns, len(drawn))), heading and write(heading)), output)


def _check(panels: Sequence[Panel]) -> None:
    if not panels:
        raise UserError("there are no attention matrices to draw")
    for panel in panels:
        shape = (len(panel.target_tokens), len(panel.source_tokens))
        if panel.weights.shape != shape:
            raise ValueError(
                f"{panel.title}: weights of shape {panel.weights.shape} do not fit {shape[0]} target tokens "
                f"and {shape[1]} source tokens"
            )
        if panel.weights.size == 0:
            raise UserError(f"{panel.title}: there is no attention to draw: {shape[1]} source and {shape[0]} target")
        if max(shape) > _LARGEST:
            raise UserError(
                f"{panel.title}: {max(shape)} tokens are too many for a small picture; take a sentence "
                f"of {_LARGEST} or fewer, or draw it alone"
            )


def _figure(panels: Sequence[Panel], columns: int, title: str | None) -> Figure:
    from matplotlib.figure import Figure

    rows = math.ceil(len(panels) / columns)
    # room for the widest of everything, so that all panels are in line
    matrix_width = _CELL * max(len(panel.source_tokens) for panel in panels)
    matrix_height = _CELL * max(len(panel.target_tokens) for panel in panels)
    left = _LETTER * max(len(token) for panel in panels for token in panel.target_tokens)
    top = 0.2 + _LETTER * max(len(token) for panel in panels for token in panel.source_tokens)
    panel_width = left + matrix_width + 0.2
    titles = [_wrapped(panel.title, panel_width) for panel in panels]
    top += _LINE * max(len(lines) for lines in titles)
    panel_height = top + matrix_height + 0.2
    width, height = columns * panel_width, rows * panel_height
    figure = Figure(figsize=(width, height))
    image = None
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        size = (_CELL * len(panel.source_tokens), _CELL * len(panel.target_tokens))
        begin = (column * panel_width + left, height - row * panel_height - top - size[1])
        axes = figure.add_axes((begin[0] / width, begin[1] / height, size[0] / width, size[1] / height))
        image = axes.imshow(panel.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="none")
        _label(axes, panel)
        place = (column * panel_width / width, 1.0 - row * panel_height / height)
        figure.text(*place, "\n".join(titles[number]), fontsize=_TITLE_FONT, va="top")
    bar_place = (1.0 + 0.1 / width, 1.0 - (top + matrix_height) / height, 0.1 / width, matrix_height / height)
    bar = figure.add_axes(bar_place)
    assert image is not None
    figure.colorbar(image, cax=bar).set_label("attention weight", fontsize=_FONT * 1.2)
    bar.tick_params(labelsize=_FONT)
    if title:
        figure.text(0.0, 1.0 + 0.15 / height, title, fontsize=12, va="bottom")
    return figure


def _wrapped(title: str, width: float) -> list[str]:
    """Break a title into lines of ``width`` inches; a mechanism in parts breaks before its ``+``."""
    room = max(int(width / (_LETTER * _TITLE_FONT / _FONT)), 8)
    lines = textwrap.wrap(title.replace("+", " +"), room, break_on_hyphens=False) if len(title) > room else [title]
    return lines or [""]


def _label(axes: Axes, panel: Panel) -> None:
    mirrored = reads_right_to_left(panel.source_tokens)
    label_axes(axes, panel.source_tokens, panel.target_tokens, size=_FONT, right_to_left=mirrored, pad=2)
    for spine in axes.spines.values():
        spine.set(edgecolor="0.7", linewidth=0.6)
