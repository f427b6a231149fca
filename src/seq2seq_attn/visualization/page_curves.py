"""Curves as drawings inside a page, in the page's own colors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_attn.visualization.page import Markup, element

_WIDTH, _HEIGHT = 420.0, 230.0  # pixels; a page makes it as wide as there is room
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 34.0, 40.0
_LEGEND = 18.0
_MOST = 400  # points of a line; of more the lowest and the highest of each part are drawn
_STEEP = 20.0  # the highest value over the lowest from where a logarithmic scale shows more


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        name: what it shows.
        points: (x, y), x rising; where y is None the line has a gap.
        marked: whether each point has a mark, which says its number to a pointer that rests on it.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    marked: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves over the steps of a training.

    Attributes:
        title: what is plotted, with its unit.
        curves: one line each.
        steep: whether the scale may be logarithmic; it is where values differ by more than a factor of 20.
        from_zero: whether the scale begins at 0, so that small differences look small.
    """

    title: str
    curves: Sequence[Curve]
    steep: bool = False
    from_zero: bool = False


def draw_plot(plot: Plot) -> Markup | None:
    """Return a plot as SVG inside a figure, from step 0 on; None where there is no number to draw.

    Where the scale is logarithmic, the title says so.
    """
    curves = [
        Curve(one.name, [(x, y if y is not None and math.isfinite(y) else None) for x, y in one.points], one.marked)
        for one in plot.curves
    ]
    values = [y for one in curves for _, y in one.points if y is not None]
    if not values:
        return None
    logarithmic = plot.steep and min(values) > 0 and max(values) / min(values) > _STEEP
    last = max(x for one in curves for x, y in one.points if y is not None)
    across = _Scale(0.0, last, _LEFT, _WIDTH - _RIGHT)
    top = _TOP + _LEGEND * (len(curves) > 1)
    low = min(0.0, *values) if plot.from_zero else min(values)
    up = _Scale(low, max(values), _HEIGHT - _BOTTOM, top, logarithmic=logarithmic, rounded=True)
    heading = f"{plot.title}, logarithmic" if logarithmic else plot.title
    parts = [_text(heading, 0, 14, kind="title"), *_axes(across, up)]
    for number, curve in enumerate(curves):
        parts += _draw(curve, across, up, number)
    if len(curves) > 1:
        parts += _legend(curves)
    attributes = {
        "class": "curves",
        "viewBox": f"0 0 {_number(_WIDTH)} {_number(_HEIGHT)}",
        "role": "img",
        "aria-label": f"{heading}: {'; '.join(map(_summary, curves))}",
    }
    return element("figure", element("svg", *parts, attributes=attributes))


class _Scale:
    """From numbers to pixels; the ends are those of the numbers, or the round ones around them."""

    def __init__(
        self, low: float, high: float, begin: float, end: float, *, logarithmic: bool = False, rounded: bool = False
    ) -> None:
        self.logarithmic = logarithmic
        if low == high:
            low, high = low - (abs(low) or 1), high + (abs(high) or 1)
        self.ticks = _powers(low, high) if logarithmic else _round_numbers(low, high, outside=rounded)
        self.low, self.high = min(low, self.ticks[0]), max(high, self.ticks[-1])
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        low, high = self._of(self.low), self._of(self.high)
        return self.begin + (self._of(value) - low) / (high - low) * (self.end - self.begin)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def _round_numbers(low: float, high: float, *, outside: bool) -> list[float]:
    """Return a few multiples of one, two or five times a power of ten, between two numbers or just around them."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) / (power * factor) <= 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if outside:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    """Return powers of ten between two numbers, with those between them where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(exponents) <= 4 else (1,)
    found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [value for value in found if low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9)] or [low, high]


def _axes(across: _Scale, up: _Scale) -> list[Markup]:
    parts = []
    for value in up.ticks:
        y = _number(up(value))
        line = {"x1": _number(_LEFT), "x2": _number(_WIDTH - _RIGHT), "y1": y, "y2": y}
        parts.append(element("line", attributes={"class": "grid", **line}))
        parts.append(_text(_short(value), _LEFT - 6, up(value) + 4, kind="end"))
    foot = _HEIGHT - _BOTTOM
    ends = {"x1": _number(_LEFT), "x2": _number(_WIDTH - _RIGHT), "y1": _number(foot), "y2": _number(foot)}
    parts.append(element("line", attributes={"class": "axis", **ends}))
    parts += [_text(_short(value), across(value), foot + 16, kind="middle") for value in across.ticks]
    parts.append(_text("step", (_LEFT + _WIDTH - _RIGHT) / 2, foot + 33, kind="middle"))
    return parts


def _draw(curve: Curve, across: _Scale, up: _Scale, number: int) -> list[Markup]:
    parts: list[Markup] = []
    kind = f"line line-{number % 3}"
    for piece in _pieces(curve.points):
        places = " ".join(f"{_number(across(x))},{_number(up(y))}" for x, y in _thinned(piece))
        parts.append(element("polyline", attributes={"class": kind, "points": places}))
    if curve.marked:
        for x, y in ((x, y) for x, y in curve.points if y is not None):
            told = element("title", f"{curve.name}, {_short(x)}: {y:.6g}")
            place = {"cx": _number(across(x)), "cy": _number(up(y)), "r": "3"}
            parts.append(element("circle", told, attributes={"class": f"mark line-{number % 3}", **place}))
    return parts


def _pieces(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Cut a line at its gaps."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append((x, y))
    return [piece for piece in pieces if piece]


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Keep the lowest and the highest point of each part of a long line, and its ends: every peak stays."""
    if len(points) <= _MOST:
        return points
    parts = _MOST // 2
    kept = {0, len(points) - 1}
    for part in range(parts):
        numbers = range(part * len(points) // parts, (part + 1) * len(points) // parts)
        kept |= {min(numbers, key=lambda n: points[n][1]), max(numbers, key=lambda n: points[n][1])}
    return [points[number] for number in sorted(kept)]


def _legend(curves: Sequence[Curve]) -> list[Markup]:
    parts, x = [], _LEFT
    for number, curve in enumerate(curves):
        line = {"x1": _number(x), "x2": _number(x + 18), "y1": "31", "y2": "31"}
        parts.append(element("line", attributes={"class": f"line line-{number % 3}", **line}))
        parts.append(_text(curve.name, x + 23, 35))
        x += 36 + 6.5 * len(curve.name)
    return parts


def _summary(curve: Curve) -> str:
    there = [y for _, y in curve.points if y is not None]
    return f"{curve.name} from {there[0]:.4g} to {there[-1]:.4g}" if there else f"{curve.name} is not known"


def _text(text: str, x: float, y: float, *, kind: str = "") -> Markup:
    place = {"x": _number(x), "y": _number(y)}
    return element("text", text, attributes={**place, **({"class": kind} if kind else {})})


def _short(value: float) -> str:
    """Write a number for an axis: 20k, 0.001, 2e-05."""
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:.6g}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:.6g}k"
    return f"{value:.6g}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
