"""The reliability diagram: what stands where."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.calibration import Calibration, calibration
from seq2seq_attn.visualization.reliability import draw_reliability

pytest.importorskip("matplotlib")

SVG = "{http://www.w3.org/2000/svg}"


def some() -> Calibration:
    """Four of ten bins are filled."""
    confidences = np.array([0.15] * 4 + [0.45] * 10 + [0.75] * 4 + [0.95] * 22)
    correct = np.array([True] + [False] * 3 + [True] * 4 + [False] * 6 + [True] * 3 + [False] + [True] * 22)
    return calibration(confidences, correct, bins=10)


def bars(path: Path, color: str) -> list[tuple[float, float, float, float]]:
    """Left, right, lower and upper end (upwards) of the rectangles of a color."""
    found = []
    for shape in ElementTree.parse(path).iter(f"{SVG}path"):
        if f"fill: {color}" in (shape.get("style") or "").lower() and shape.get("clip-path"):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", shape.get("d") or "")]
            across, down = numbers[0::2], numbers[1::2]
            found.append((min(across), max(across), -max(down), -min(down)))
    return sorted(found)


def test_bars_are_as_high_as_the_accuracy(tmp_path) -> None:
    output = tmp_path / "a.svg"
    draw_reliability(some(), output)
    drawn = bars(output, "#0072b2")
    assert len(drawn) == 4
    heights = np.array([top - bottom for _, _, bottom, top in drawn])
    np.testing.assert_allclose(heights / heights[-1], [0.25, 0.4, 0.75, 1.0], atol=1e-3)
    left = np.array([one[0] for one in drawn])
    np.testing.assert_allclose((left - left[0]) / (left[-1] - left[0]), [0, 3 / 8, 6 / 8, 1], atol=1e-3)


def test_counts_stand_below(tmp_path) -> None:
    output = tmp_path / "a.svg"
    draw_reliability(some(), output)
    drawn = bars(output, "#999999")
    heights = np.array([top - bottom for _, _, bottom, top in drawn])
    np.testing.assert_allclose(heights / heights.sum(), [0.1, 0.25, 0.1, 0.55], atol=1e-3)
    # under the bars that they count for
    assert [one[:2] for one in drawn] == [pytest.approx(one[:2]) for one in bars(output, "#0072b2")]


def test_texts(tmp_path) -> None:
    output = tmp_path / "a.svg"
    draw_reliability(some(), output, title="runs/a$b$ <c> & d")
    texts = ["".join(element.itertext()) for element in ElementTree.parse(output).iter(f"{SVG}text")]
    assert any("runs/a$b$ <c> & d" in text for text in texts)
    assert any(f"ECE {some().expected_error:.4f}" in text for text in texts)
    assert any("40 tokens" in text for text in texts)
    assert {"confidence", "accuracy"} <= set(texts)


def test_a_picture_and_the_same_twice(tmp_path) -> None:
    for name in ("a.png", "b.png", "a.svg", "b.svg"):
        draw_reliability(some(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_one_prediction_is_enough(tmp_path) -> None:
    draw_reliability(calibration(np.array([1.0]), np.array([True])), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_another_file_type_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"a picture is written as \.png or \.svg"):
        draw_reliability(some(), tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []
