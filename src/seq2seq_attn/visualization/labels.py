"""The tokens beside a matrix: how they are turned, and which way the source is read."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPECIAL = re.compile(r"</?\w+>")  # </s>, <unk>: in any language
_LETTER = 0.58  # ems that a letter takes in a line of text, about


def reads_right_to_left(tokens: Sequence[str]) -> bool:
    """Say whether most letters of a sentence belong to a script that is written from right to left."""
    words = (token for token in tokens if not _SPECIAL.fullmatch(token))
    found = Counter(unicodedata.bidirectional(character) for word in words for character in word)
    return found["R"] + found["AL"] > found["L"]


def label_axes(
    axes: Axes,
    columns: Sequence[str],
    rows: Sequence[str],
    *,
    size: float,
    every: int = 1,
    slanted: bool = False,
    right_to_left: bool = False,
    pad: float | None = None,
) -> None:
    """Write tokens on top and at the left of a matrix.

    Where the source is read from right to left, so are its columns: the first stands at the right, and the
    labels are turned the other way, so that each begins at its column.

    Args:
        axes: that show the matrix.
        columns: the tokens on top.
        rows: those at the left, or none.
        size: of the letters, in points.
        every: only every so-manyth token is written.
        slanted: whether there is room to turn the labels on top by 45 degrees only.
        right_to_left: see :func:`reads_right_to_left`.
        pad: points between labels and matrix.
    """
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if right_to_left:
        axes.invert_xaxis()
    axes.set_xticks(range(0, len(columns), every), labels=columns[::every])
    axes.set_yticks(range(0, len(rows), every), labels=rows[::every])
    turn, side = (-1, "right") if right_to_left else (1, "left")
    for label in axes.get_xticklabels():
        label.set(rotation=turn * (45 if slanted else 90), rotation_mode="anchor", fontsize=size)
        label.set(horizontalalignment=side, verticalalignment="baseline" if slanted else "center")
    for label in axes.get_yticklabels():
        label.set_fontsize(size)
    axes.tick_params(which="both", length=0)
    if pad is not None:
        axes.tick_params(which="both", pad=pad)


def name_of_axis(name: str, *, right_to_left: bool) -> str:
    """Return the name of the columns; it says so where they run from right to left."""
    return f"{name}, from right to left" if right_to_left else name


def wrap(text: str, ems: float) -> str:
    """Break a line of text so that none is longer than ``ems``, between words where there are spaces."""
    if width_of(text) <= ems:
        return text
    lines: list[str] = []
    # a line of so many characters is too long where they are wide ones, so it is broken again
    for line in textwrap.wrap(text, max(int(ems / _LETTER), 1), break_on_hyphens=False):
        begin, width = 0, 0.0
        for place, character in enumerate(line):
            width += width_of(character)
            if width > ems and not unicodedata.category(character).startswith("M"):
                lines.append(line[begin:place])
                begin, width = place, width_of(character)
        lines.append(line[begin:])
    return "\n".join(line.strip() for line in lines if line.strip())


def width_of(text: str) -> float:
    """Return about how many ems a text takes."""
    width = 0.0
    for character in text:
        if not unicodedata.category(character).startswith("M"):
            width += 1.05 if unicodedata.east_asian_width(character) in "WF" else _LETTER
    return width
