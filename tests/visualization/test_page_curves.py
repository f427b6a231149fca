from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from seq2seq_attn.visualization.page_curves import Curve, Plot, draw_plot


def drawn(plot: Plot) -> ElementTree.Element:
    markup = draw_plot(plot)
    assert markup is not None
    return ElementTree.fromstring(markup)


def value_of(label: str) -> float:
    return float(label.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(label[-1], 1.0)


def scales_of(figure: ElementTree.Element, *, logarithmic: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return, from the labels of the axes alone, what turns pixels into numbers: (factor, offset) for x and y."""
    ticks: dict[str, list[tuple[float, float]]] = {"middle": [], "end": []}
    for text in figure.iter("text"):
        kind = text.get("class", "")
        if kind in ticks and text.text != "step":
            value = value_of(text.text or "")
            place = float(text.get("x", "")) if kind == "middle" else float(text.get("y", "")) - 4
            ticks[kind].append((place, math.log10(value) if kind == "end" and logarithmic else value))
    assert all(len(found) >= 2 for found in ticks.values()), ticks
    return tuple(np.polyfit(*zip(*found, strict=True), 1) for found in ticks.values())  # type: ignore[return-value]


def numbers_of(figure: ElementTree.Element, *, logarithmic: bool = False) -> list[list[tuple[float, float]]]:
    """Read the numbers back from the drawing."""
    across, up = scales_of(figure, logarithmic=logarithmic)
    lines = []
    for line in figure.iter("polyline"):
        places = [tuple(map(float, place.split(","))) for place in line.get("points", "").split()]
        ys = [np.polyval(up, y) for _, y in places]
        xs = [float(np.polyval(across, x)) for x, _ in places]
        lines.append(list(zip(xs, (10.0**y for y in ys) if logarithmic else map(float, ys), strict=True)))
    return lines


@pytest.mark.parametrize("scale", [1e-4, 1.0, 3e5])
@pytest.mark.parametrize("from_zero", [False, True])
def test_the_lines_are_the_numbers(scale, from_zero):
    chance = np.random.default_rng(3)
    points = [(float(50 * number), float(value)) for number, value in enumerate(chance.uniform(2, 9, 30) * scale, 1)]
    others = [(x, y / 2) for x, y in points[::7]]
    plot = Plot("loss", [Curve("training", points), Curve("validation", others, marked=True)], from_zero=from_zero)
    lines = numbers_of(drawn(plot))
    for line, expected in zip(lines, (points, others), strict=True):
        np.testing.assert_allclose(line, expected, rtol=0.01, atol=0.01 * scale * 9)


def test_a_steep_curve_has_a_logarithmic_scale_and_says_so():
    points = [(float(step), 5.0 * 0.8**step) for step in range(40)]
    figure = drawn(Plot("loss", [Curve("training", points)], steep=True))
    np.testing.assert_allclose(numbers_of(figure, logarithmic=True)[0], points, rtol=0.03, atol=0.2)
    assert "loss, logarithmic" in [text.text for text in figure.iter("text")]
    assert "loss" in [text.text for text in drawn(Plot("loss", [Curve("training", points)])).iter("text")]
    flat = [(x, 1 + y / 10) for x, y in points]
    assert "loss" in [text.text for text in drawn(Plot("loss", [Curve("t", flat)], steep=True)).iter("text")]


def test_a_number_that_is_missing_is_a_gap():
    points = [(1.0, 1.0), (2.0, 2.0), (3.0, None), (4.0, float("nan")), (5.0, 3.0), (6.0, math.inf), (7.0, 2.0)]
    lines = numbers_of(drawn(Plot("norm", [Curve("norm", points)])))
    assert [[round(x) for x, _ in line] for line in lines] == [[1, 2], [5], [7]]


def test_of_a_long_line_every_peak_stays():
    points = [(float(step), 1.0 + step / 1e5) for step in range(50_000)]
    points[31_234] = (31_234.0, 9.0)
    points[17] = (17.0, 0.1)
    (line,) = numbers_of(drawn(Plot("loss", [Curve("training", points)])))
    assert len(line) <= 410
    assert max(y for _, y in line) == pytest.approx(9.0, abs=0.05)
    assert min(y for _, y in line) == pytest.approx(0.1, abs=0.05)
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert (line[0][0], line[-1][0]) == pytest.approx((0, 49_999), abs=100)


def test_marks_tell_the_exact_number():
    figure = drawn(Plot("BLEU", [Curve("BLEU", [(1128.0, 94.8203), (2256.0, 95.5675)], marked=True)]))
    assert [title.text for title in figure.iter("title")] == ["BLEU, 1128: 94.8203", "BLEU, 2256: 95.5675"]
    (line,) = figure.iter("polyline")
    centers = [f"{mark.get('cx')},{mark.get('cy')}" for mark in figure.iter("circle")]
    assert " ".join(centers) == line.get("points")


@pytest.mark.parametrize(
    "points", [[(7.0, 3.0)], [(7.0, 0.0)], [(0.0, -2.0)], [(1.0, 5.0), (2.0, 5.0)], [(3.0, 1e-300)]]
)
def test_one_number_makes_a_plot(points):
    figure = drawn(Plot("loss", [Curve("training", points, marked=True)], steep=True))
    box = [float(size) for size in figure[0].get("viewBox", "").split()]
    for mark in figure.iter("circle"):
        assert 0 < float(mark.get("cx", "")) < box[2]
        assert 0 < float(mark.get("cy", "")) < box[3]


def test_nothing_known_no_plot():
    assert draw_plot(Plot("loss", [])) is None
    assert draw_plot(Plot("loss", [Curve("training", []), Curve("validation", [(1.0, None)])])) is None


def test_names_are_text():
    attack = '</svg><script>alert("x")</script>'
    figure = drawn(Plot(attack, [Curve(attack, [(1.0, 1.0)], marked=True), Curve("b", [(1.0, 2.0)])]))
    assert {element.tag for element in figure.iter()} <= {
        "figure",
        "svg",
        "text",
        "line",
        "polyline",
        "circle",
        "title",
    }
    assert attack in [text.text for text in figure.iter("text")]


def test_labels_stand_inside_and_apart():
    """Standing for: numbers on an axis that run into one another, or out of the picture."""
    for top in (0.00123, 0.84, 96.5, 12_345.0, 9_876_543.0):
        points = [(float(x), top * (0.97 + 0.03 * x / 40_000)) for x in range(0, 40_001, 400)]
        figure = drawn(Plot("value", [Curve("value", points)]))
        below = [
            (float(text.get("x", "")), len(text.text or ""))
            for text in figure.iter("text")
            if text.get("class") == "middle" and text.text != "step"
        ]
        for (x, length), (other, _) in itertools.pairwise(below):
            assert other - x > 7 * length
        left = [text.text or "" for text in figure.iter("text") if text.get("class") == "end"]
        assert len(set(left)) == len(left)
        assert max(map(len, left)) <= 8
        assert all(re.fullmatch(r"-?[\d.e-]+[kM]?", label) for label in left)
