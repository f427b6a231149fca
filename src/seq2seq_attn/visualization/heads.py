"""Many attention matrices over the same tokens as one picture: the heads of a layer, or of all layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.labels import label_axes, name_of_axis, reads_right_to_left
from seq2seq_attn.visualization.picture import check_picture_path, picture_style, readable, save_figure, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 72  # per inch
_LARGEST = 40.0  # inches a side, as for one matrix alone
_PANEL = 3.4  # inches that a panel's longer side takes where there is room
_GAP = 0.22  # inches between panels
_NAME = 0.3  # inches below a panel, for its name
_NAME_WIDTH = 1.0


class Panel(NamedTuple):
    """One matrix of the picture."""

    name: str
    weights: NDArray[np.floating]


def draw_heads(
    panels: Sequence[Panel],
    rows: Sequence[str],
    columns: Sequence[str],
    output: Path,
    *,
    across: int | None = None,
    axes: tuple[str, str] = ("target", "source"),
    title: str | None = None,
) -> None:
    """Write heat maps in a grid, all with one color scale from 0 to 1 and the same tokens.

    Tokens stand beside every line of panels, on the left and on top; a panel's name stands under it.

    Args:
        panels: in reading order; the weights of each are of shape (rows, columns).
        rows: the tokens at the left.
        columns: the tokens on top.
        output: a ``.png`` or ``.svg`` file; an older one is replaced.
        across: panels beside one another; None for a grid about as wide as it is high.
        axes: what the rows and the columns are.
        title: a line above the picture.

    Raises:
        UserError: for another file type, a file that cannot be written, or nothing to draw.
        MissingExtra: if matplotlib is not installed.
        ValueError: if the weights do not fit the tokens.
    """
    check_picture_path(output)
    if not panels or not rows or not columns:
        raise UserError(f"there is no attention to draw: {len(panels)} heads, {len(rows)} and {len(columns)} tokens")
    for panel in panels:
        if panel.weights.shape != (len(rows), len(columns)):
            raise ValueError(
                f"{panel.name}: weights of shape {panel.weights.shape} do not fit {len(rows)} rows "
                f"and {len(columns)} columns"
            )
    left, top = ([readable(token, limit=16) for token in tokens] for tokens in (rows, columns))
    heading = visible(title) if title else None
    names = [visible(panel.name) for panel in panels]
    with picture_style([*left, *top, *names, heading or "", *axes], output) as write:
        shown = [Panel(write(name), panel.weights) for name, panel in zip(names, panels, strict=True)]
        left, top = ([write(token) for token in tokens] for tokens in (left, top))
        grid = _Grid(len(panels), across or _squarish(len(panels)), left, top)
        save_figure(_figure(shown, grid, axes, heading and write(heading)), output)


class _Grid:
    """Where everything goes, in inches from the upper left corner of the first matrix."""

    def __init__(self, count: int, across: int, rows: Sequence[str], columns: Sequence[str]) -> None:
        self.across = min(across, count)
        self.down = math.ceil(count / self.across)
        self.rows, self.columns = rows, columns
        self.right_to_left = reads_right_to_left(columns)
        wanted = min(0.34, max(_PANEL / max(len(rows), len(columns)), 0.14))
        most = max(self.across * len(columns), self.down * len(rows))
        self.cell = min(wanted, 0.8 * _LARGEST / most)
        self.font = min(max(self.cell * _POINTS * 0.62, 5.0), 9.0)
        # hundreds of tokens: label every few
        self.every = max(1, math.ceil(self.font / (self.cell * _POINTS)))
        self.panel_width, self.panel_height = self.cell * len(columns), self.cell * len(rows)
        # the tokens on top stand upright, so the longest one's width is the height that all need
        self.tokens_above = max(_width(token, self.font) for token in set(columns[:: self.every])) + 0.08
        self.right = max(self.panel_width, _NAME_WIDTH) + _GAP  # from one panel to the next
        self.below = self.panel_height + _NAME + self.tokens_above + _GAP
        self.width = (self.across - 1) * self.right + self.panel_width
        self.height = (self.down - 1) * self.below + self.panel_height

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Return a panel's left, bottom, width and height, as shares of the figure."""
        row, column = divmod(number, self.across)
        bottom = self.height - row * self.below - self.panel_height
        return (
            column * self.right / self.width,
            bottom / self.height,
            self.panel_width / self.width,
            self.panel_height / self.height,
        )


def _figure(panels: Sequence[Panel], grid: _Grid, names: tuple[str, str], title: str | None) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(grid.width, grid.height))
    image = None
    for number, panel in enumerate(panels):
        axes = figure.add_axes(grid.place(number))
        image = axes.imshow(panel.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="none")
        _label(axes, grid, left=number % grid.across == 0)
        axes.text(
            0.5, -0.08 / grid.panel_height, panel.name, transform=axes.transAxes, ha="center", va="top", fontsize=9
        )
        if number % grid.across == 0:
            axes.set_ylabel(names[0], labelpad=6, fontsize=9)
        if number < grid.across:
            name = name_of_axis(names[1], right_to_left=grid.right_to_left)
            axes.set_xlabel(name, labelpad=6, fontsize=9)
    assert image is not None
    bar_height = min(max(grid.panel_height, 1.2), 3.0)
    beside = 0.2 + max(0.0, _NAME_WIDTH - grid.panel_width) / 2
    bar = figure.add_axes(
        (1 + beside / grid.width, 1 - bar_height / grid.height, 0.12 / grid.width, bar_height / grid.height)
    )
    figure.colorbar(image, cax=bar).set_label("attention weight", fontsize=9)
    bar.tick_params(labelsize=8)
    if title:
        above = (grid.tokens_above + 0.45) / grid.height
        figure.text(0.0, 1.0 + above, title, fontsize=11, ha="left", va="bottom")
    return figure


def _label(axes: Axes, grid: _Grid, *, left: bool) -> None:
    label_axes(
        axes,
        grid.columns,
        grid.rows if left else [],
        size=grid.font,
        every=grid.every,
        right_to_left=grid.right_to_left,
        pad=3,
    )
    for spine in axes.spines.values():
        spine.set(edgecolor="0.6", linewidth=0.6)
    if grid.cell < 0.12:
        return  # lines between cells this small would be all that is seen
    axes.set_xticks([edge - 0.5 for edge in range(len(grid.columns) + 1)], minor=True)
    axes.set_yticks([edge - 0.5 for edge in range(len(grid.rows) + 1)], minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.4)


def _squarish(count: int) -> int:
    """Choose how many panels go side by side: few rows without a gap where the number allows it."""
    least = math.ceil(math.sqrt(count))
    whole = next(across for across in range(least, count + 1) if count % across == 0)
    return whole if whole <= 2 * least else least


def _width(text: str, size: float) -> float:
    """Return how many inches a text takes, in letters of ``size`` points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().x1) / _POINTS
