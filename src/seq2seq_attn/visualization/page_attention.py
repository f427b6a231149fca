"""The attention matrix of one sentence as a drawing inside a page, in the page's own colors."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.visualization.page import Markup, element
from seq2seq_attn.visualization.picture import readable

LARGEST = 80
"""Tokens a side; more than that nobody can read on a page."""

_CELL = 18  # pixels
_LETTER = 7.2  # pixels that a letter of the labels takes, in wide fonts, too
_SHOWN = 0.01  # smaller weights could not be seen
_TOLD = 0.1  # weights from here on say their number to a pointer that rests on them


def draw_matrix(
    weights: NDArray[np.floating], source_tokens: Sequence[str], target_tokens: Sequence[str]
) -> Markup | None:
    """Return the weights as SVG: a row per target token, a column per source token; the darker the more.

    The scale runs from 0 to 1 whatever the weights are, as in all pictures of this package.

    Args:
        weights: shape (target tokens, source tokens).
        source_tokens: the labels on top.
        target_tokens: the labels at the left.

    Returns:
        The drawing; None where there is nothing to draw, or too much to be read.

    Raises:
        ValueError: if the weights do not fit the tokens.
    """
    if weights.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            f"weights of shape {weights.shape} do not fit {len(target_tokens)} target and {len(source_tokens)} "
            "source tokens"
        )
    if not weights.any() or max(weights.shape) > LARGEST:
        return None
    top = [readable(token, limit=16) for token in source_tokens]
    side = [readable(token, limit=16) for token in target_tokens]
    left, above = (max(map(_width, labels)) + 6 for labels in (side, top))
    width, height = left + _CELL * len(top) + 6, above + _CELL * len(side) + 6
    parts = [
        *(_upright(label, left + _CELL * (number + 0.7), above - 4) for number, label in enumerate(top)),
        *(_flush(label, left - 4, above + _CELL * (number + 0.7)) for number, label in enumerate(side)),
        _cells(weights, top, side, left, above),
    ]
    box = {"x": _number(left), "y": _number(above)}
    size = {"width": str(_CELL * len(top)), "height": str(_CELL * len(side))}
    parts.append(element("rect", attributes={"class": "frame", **box, **size}))
    attributes = {
        "class": "matrix",
        "viewBox": f"0 0 {_number(width)} {_number(height)}",
        "width": _number(width),
        "height": _number(height),
        "role": "img",
        "aria-label": f"attention weights of {len(side)} target tokens over {len(top)} source tokens",
    }
    return element("svg", *parts, attributes=attributes)


def _cells(weights: NDArray[np.floating], top: Sequence[str], side: Sequence[str], left: float, above: float) -> Markup:
    cells = []
    for (row, column), weight in np.ndenumerate(weights):
        if weight < _SHOWN:
            continue
        told = [element("title", f"{side[row]} ← {top[column]}  {weight:.2f}")] if weight >= _TOLD else []
        place = {"x": _number(left + _CELL * column), "y": _number(above + _CELL * row)}
        shade = {"width": str(_CELL), "height": str(_CELL), "opacity": f"{min(float(weight), 1.0):.2g}"}
        cells.append(element("rect", *told, attributes={**place, **shade}))
    return element("g", *cells, attributes={"class": "cells"})


def _upright(label: str, x: float, y: float) -> Markup:
    turned = f"translate({_number(x)} {_number(y)}) rotate(-90)"
    return element("text", label, attributes={"transform": turned})


def _flush(label: str, x: float, y: float) -> Markup:
    return element("text", label, attributes={"x": _number(x), "y": _number(y), "text-anchor": "end"})


def _width(label: str) -> float:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in label)
    return _LETTER * (len(label) + wide)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
