from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from seq2seq_attn.visualization.page_attention import LARGEST, draw_matrix


def drawn(weights: np.ndarray, source: list[str], target: list[str]) -> ElementTree.Element:
    markup = draw_matrix(weights, source, target)
    assert markup is not None
    return ElementTree.fromstring(markup)


def cells_of(svg: ElementTree.Element) -> dict[tuple[float, float], float]:
    group = next(element for element in svg.iter("g"))
    return {
        (float(cell.get("x", "")), float(cell.get("y", ""))): float(cell.get("opacity", ""))
        for cell in group.iter("rect")
    }


def test_the_drawing_is_the_weights():
    random = np.random.default_rng(7)
    weights = random.dirichlet(np.full(5, 0.4), size=3)
    svg = drawn(weights, [f"s{number}" for number in range(5)], [f"t{number}" for number in range(3)])
    cells = cells_of(svg)
    xs, ys = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    frame = next(element for element in svg.iter("rect") if element.get("class") == "frame")
    left, top = float(frame.get("x", "")), float(frame.get("y", ""))
    size = float(frame.get("width", "")) / 5
    assert float(frame.get("height", "")) == 3 * size
    assert set(xs) <= {left + size * column for column in range(5)}
    assert set(ys) <= {top + size * row for row in range(3)}
    found = np.zeros((3, 5))
    for (x, y), opacity in cells.items():
        found[round((y - top) / size), round((x - left) / size)] = opacity
    np.testing.assert_allclose(found, weights, atol=0.01)


def test_labels_stand_at_their_cells_and_the_numbers_can_be_asked_for():
    svg = drawn(np.array([[0.05, 0.95], [0.7, 0.3]]), ["red", "house"], ["casa", "vermelha"])
    frame = next(element for element in svg.iter("rect") if element.get("class") == "frame")
    left, top = float(frame.get("x", "")), float(frame.get("y", ""))
    for text in svg.iter("text"):
        if text.get("transform"):
            x, y = map(float, re.findall(r"[\d.]+", text.get("transform", ""))[:2])
            column = ["red", "house"].index(text.text or "")
            assert left + 18 * column < x < left + 18 * (column + 1)
            assert y < top
        else:
            row = ["casa", "vermelha"].index(text.text or "")
            assert float(text.get("x", "")) < left
            assert top + 18 * row < float(text.get("y", "")) < top + 18 * (row + 1)
    assert [title.text for title in svg.iter("title")] == [
        "casa ← house  0.95",
        "vermelha ← red  0.70",
        "vermelha ← house  0.30",
    ]
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "attention weights of 2 target tokens over 2 source tokens"


def test_tokens_are_text():
    svg = drawn(np.ones((1, 1)), ["</svg><script>"], ['" onload="x'])
    assert {element.tag for element in svg.iter()} == {"svg", "text", "g", "rect", "title"}
    assert "</svg><script>" in [text.text for text in svg.iter("text")]


def test_nothing_to_draw_or_too_much():
    assert draw_matrix(np.zeros((0, 0)), [], []) is None
    assert draw_matrix(np.zeros((2, 3)), list("abc"), list("de")) is None, "a model without attention"
    many = ["x"] * (LARGEST + 1)
    assert draw_matrix(np.ones((1, LARGEST + 1)), many, ["y"]) is None
    assert draw_matrix(np.ones((1, LARGEST)), many[1:], ["y"]) is not None
    with pytest.raises(ValueError, match=r"shape \(2, 3\) do not fit 3 target and 2 source tokens"):
        draw_matrix(np.ones((2, 3)), list("ab"), list("abc"))
