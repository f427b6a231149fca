from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.gallery import Panel, draw_gallery

matplotlib = pytest.importorskip("matplotlib")

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"


def panel(title: str, target_len: int, source_len: int, seed: int = 1) -> Panel:
    weights = np.random.default_rng(seed).dirichlet(np.ones(source_len), target_len)
    source = [f"{title}-s{number}" for number in range(source_len)]
    return Panel(title, weights, source, [f"{title}-t{number}" for number in range(target_len)])


def images_of(path: Path) -> list[tuple[float, np.ndarray]]:
    """Left edge and pixels of each matrix, in the order of the file."""
    found = []
    for element in ElementTree.parse(path).iter(f"{SVG}image"):
        data = (element.get(XLINK) or element.get("href") or "").partition("base64,")[2]
        pixels = np.asarray(matplotlib.image.imread(io.BytesIO(base64.b64decode(data))))[..., :3]
        moved = re.search(r"translate\(([-\d.]+) |matrix\((?:[-\d.]+ ){4}([-\d.]+) ", element.get("transform", ""))
        left = float(element.get("x", "0")) + float((moved.group(1) or moved.group(2)) if moved else 0)
        found.append((left, pixels))
    return found


def texts_of(path: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_every_matrix_is_drawn_on_one_scale(tmp_path):
    panels = [panel("a", 3, 5), panel("b", 2, 7, seed=2), Panel("c", np.zeros((2, 3)), ["x", "y", "z"], ["u", "v"])]
    draw_gallery(panels, tmp_path / "all.svg", columns=2, title="All of them")
    images = images_of(tmp_path / "all.svg")
    for wanted, (_, pixels) in zip(panels, images[:3], strict=True):
        expected = matplotlib.colormaps["Blues"](wanted.weights)[..., :3]
        np.testing.assert_allclose(pixels, expected, atol=1.5 / 255)
    shown = texts_of(tmp_path / "all.svg")
    assert {"a", "b", "c", "All of them", "a-s4", "b-t1", "z"} <= set(shown)
    assert {"0.0", "1.0"} <= set(shown)


def test_panels_stand_in_columns(tmp_path):
    draw_gallery([panel(name, 3, 3) for name in "abcde"], tmp_path / "all.svg", columns=2)
    left = [x for x, _ in images_of(tmp_path / "all.svg")[:5]]
    assert left[0] == left[2] == left[4] < left[1] == left[3]


def test_a_long_title_is_broken_where_a_part_begins(tmp_path):
    weights, name = np.full((2, 11), 1 / 11), "luong-general+normalize=sparsemax"
    draw_gallery([Panel(name, weights, list("abcdefghijk"), ["x", "y"])], tmp_path / "one.svg")
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert name not in text.partition("-->")[2]
    assert ">luong-general<" in text
    assert ">+normalize=sparsemax<" in text


def test_the_same_picture_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        draw_gallery([panel("x", 3, 2), panel("y", 3, 2)], tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UserError, match="no attention matrices to draw"):
        draw_gallery([], tmp_path / "a.png")
    with pytest.raises(UserError, match="61 tokens are too many for a small picture"):
        draw_gallery([panel("a", 2, 61)], tmp_path / "a.png")
    with pytest.raises(UserError, match="there is no attention to draw: 3 source and 0 target"):
        draw_gallery([panel("a", 0, 3)], tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"shape \(2, 3\) do not fit 3 target tokens and 3 source tokens"):
        draw_gallery([Panel("a", np.zeros((2, 3)), ["x"] * 3, ["y"] * 3)], tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a picture is written as \.png or \.svg"):
        draw_gallery([panel("a", 2, 3)], tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []
