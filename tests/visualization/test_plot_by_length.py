from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.by_length import LengthBucket
from seq2seq_attn.evaluation.metrics import MetricScore
from seq2seq_attn.visualization.by_length import plot_by_length

pytest.importorskip("matplotlib")

SVG = "{http://www.w3.org/2000/svg}"


def buckets_of(*scores: float, sentences: int = 37, metric: str = "bleu") -> list[LengthBucket]:
    buckets = []
    for number, score in enumerate(scores):
        found = {metric: MetricScore(metric.upper(), score, "signature", "text")}
        longest = 10 * number + 10 if number + 1 < len(scores) else None
        buckets.append(LengthBucket(10 * number + 1, longest, sentences + number, 10.0 * number + 5, found))
    return buckets


def texts_of(path: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(path).iter(f"{SVG}text")]


def curves_of(path: Path) -> list[np.ndarray]:
    """The points of every line that carries markers, as (x, y up) in points."""
    curves = []
    for group in ElementTree.parse(path).iter(f"{SVG}g"):
        marks = [use for child in group.findall(f"{SVG}g") for use in child.findall(f"{SVG}use")]
        if (group.get("id") or "").startswith("line2d") and len(marks) > 2:
            curves.append(np.array([[float(use.get("x", "nan")), -float(use.get("y", "nan"))] for use in marks]))
    return curves


def test_every_point_stands_at_its_score(tmp_path):
    # one scale for all lines: differences in the picture are to each other as the scores are
    output = tmp_path / "a.svg"
    scores = {"attention": [90.0, 87.5, 83.0, 80.0], "none": [60.0, 41.0, 23.0, 7.0]}
    plot_by_length({name: buckets_of(*values) for name, values in scores.items()}, output)
    drawn = np.concatenate([curve[:, 1] for curve in curves_of(output)])
    wanted = np.concatenate(list(scores.values()))
    assert drawn.shape == wanted.shape
    slope, offset = np.polyfit(wanted, drawn, 1)
    assert slope > 0
    np.testing.assert_allclose(drawn, slope * wanted + offset, atol=1e-3)
    for curve in curves_of(output):
        assert (np.diff(curve[:, 0]) > 0).all()


def test_axes_legend_and_title_say_what_is_drawn(tmp_path):
    output = tmp_path / "a.svg"
    plot_by_length({"one": buckets_of(3.0, 2.0, 1.0), "two": buckets_of(1.0, 2.0, 3.0)}, output, title="by length")
    shown = " ".join(texts_of(output))
    for text in (
        "one",
        "two",
        "by length",
        "BLEU",
        "words in the source sentence",
        "1-10",
        "11-20",
        "> 20",
        "(n = 38)",
    ):
        assert text in shown


def test_names_are_shown_as_they_are_written(tmp_path):
    # matplotlib hides a line whose name begins with an underscore, and reads $...$ as a formula
    names = ["_baseline", "$x_1$", "a<b>&", "Größe", "模型"]
    plot_by_length({name: buckets_of(1.0, 2.0, 3.0) for name in names}, tmp_path / "a.svg", title="$y$")
    assert {*names, "$y$"} <= set(texts_of(tmp_path / "a.svg"))
    plot_by_length({name: buckets_of(1.0, 2.0, 3.0) for name in names}, tmp_path / "a.png", title="$y$")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_many_systems_stay_apart(tmp_path):
    output = tmp_path / "a.svg"
    plot_by_length({f"s{number}": buckets_of(1.0, number, 3.0) for number in range(19)}, output)
    styles = []
    for group in ElementTree.parse(output).iter(f"{SVG}g"):
        if (group.get("id") or "").startswith("line2d") and len(group.findall(f".//{SVG}use")) == 3:
            style = group.find(f"{SVG}path").get("style", "")  # type: ignore[union-attr]
            styles.append(re.sub(r"; stroke-linejoin.*|stroke-width[^;]*;", "", style))
    assert len(styles) == 19
    assert len(set(styles)) == 19


@pytest.mark.parametrize("scores", [[50.0], [0.0, 0.0], [0.0]])
def test_a_single_bucket_or_all_zeros_is_drawn(scores, tmp_path):
    plot_by_length({"a": buckets_of(*scores)}, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_one_system_alone_needs_no_legend(tmp_path):
    plot_by_length({"alone": buckets_of(3.0, 2.0)}, tmp_path / "a.svg")
    assert "alone" not in texts_of(tmp_path / "a.svg")
    plot_by_length({"alone": buckets_of(3.0, 2.0), "other": buckets_of(3.0, 2.0)}, tmp_path / "a.svg")
    assert {"alone", "other"} <= set(texts_of(tmp_path / "a.svg"))


def test_another_metric_can_be_drawn(tmp_path):
    plot_by_length({"a": buckets_of(1.0, 2.0, metric="ter")}, tmp_path / "a.svg", metric="ter")
    assert "TER" in texts_of(tmp_path / "a.svg")


def test_wrong_requests_are_explained(tmp_path):
    with pytest.raises(UserError, match=r"a picture is written as \.png or \.svg"):
        plot_by_length({"a": buckets_of(1.0)}, tmp_path / "a.pdf")
    with pytest.raises(UserError, match="there are no scores to plot"):
        plot_by_length({}, tmp_path / "a.png")
    with pytest.raises(UserError, match="there are no scores to plot"):
        plot_by_length({"a": []}, tmp_path / "a.png")
    with pytest.raises(UserError, match="the scores of 'a' hold no 'chrf'; score with it first"):
        plot_by_length({"a": buckets_of(1.0)}, tmp_path / "a.png", metric="chrf")
    with pytest.raises(
        DataError, match=r"'b' was scored over other sentences than 'a': 41 of > 0 words against 37 of "
    ):
        plot_by_length({"a": buckets_of(1.0), "b": buckets_of(1.0, sentences=41)}, tmp_path / "a.png")
    with pytest.raises(DataError, match=r"'b' was scored over other sentences than 'a': none against 37 of > 0 words"):
        plot_by_length({"a": buckets_of(1.0), "b": []}, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
