from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.heads import Panel, draw_heads

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("matplotlib.textpath")

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"

ROWS, COLUMNS = [f"t{number}" for number in range(3)], [f"s{number}" for number in range(5)]


def panels(count: int, rows: int = 3, columns: int = 5) -> list[Panel]:
    chance = np.random.default_rng(1)
    found = []
    for number in range(count):
        weights = chance.exponential(size=(rows, columns)) ** 3
        found.append(Panel(f"head {number + 1}", weights / weights.sum(axis=1, keepdims=True)))
    return found


def texts_of(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def places_of(path: Path, text: str) -> list[tuple[float, float]]:
    places = []
    for element in ElementTree.parse(path).iter(f"{SVG}text"):
        if element.text == text:
            moved = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
            x, y = moved.groups() if moved else (element.get("x", "nan"), element.get("y", "nan"))
            places.append((float(x), float(y)))
    return places


def test_every_matrix_is_drawn_as_it_is_in_reading_order(tmp_path):
    """Standing for: the right picture under the wrong name."""
    output, given = tmp_path / "a.svg", panels(7)
    draw_heads(given, ROWS, COLUMNS, output)
    images = []
    for image in ElementTree.parse(output).iter(f"{SVG}image"):
        data = (image.get(XLINK) or image.get("href") or "").partition("base64,")[2]
        pixels = np.asarray(matplotlib.image.imread(io.BytesIO(base64.b64decode(data))))[..., :3]
        if pixels.shape == (3, 5, 3):
            images.append(pixels)
    assert len(images) == 7
    for pixels, panel in zip(images, given, strict=True):
        expected = matplotlib.colormaps["Blues"](panel.weights)[..., :3]
        np.testing.assert_allclose(pixels, expected, atol=1.5 / 255)
    names = [places_of(output, f"head {number}")[0] for number in range(1, 8)]
    assert names == sorted(names, key=lambda place: (round(place[1]), place[0]))


@pytest.mark.parametrize(
    ("count", "across", "grid"), [(4, None, (2, 2)), (8, None, (4, 2)), (6, 2, (2, 3)), (7, None, (3, 3))]
)
def test_tokens_stand_on_the_left_of_every_line_and_on_top_of_every_panel(count, across, grid, tmp_path):
    output = tmp_path / "a.svg"
    draw_heads(panels(count), ROWS, COLUMNS, output, across=across, title="Above all")
    wide, high = grid
    names = [places_of(output, f"head {number}")[0] for number in range(1, count + 1)]
    assert len({round(x) for x, _ in names}) == wide
    assert len({round(y) for _, y in names}) == high
    assert len(places_of(output, "t0")) == high
    tops = places_of(output, "s4")
    assert len(tops) == count
    for row in range(high):
        line = names[row * wide : (row + 1) * wide]
        above = sorted(tops, key=lambda place: (round(place[1]), place[0]))[row * wide : (row + 1) * wide]
        below_last = names[(row - 1) * wide][1] if row else places_of(output, "Above all")[0][1]
        left = sorted(places_of(output, "t0"), key=lambda place: place[1])[row]
        for (_, name_y), (_, token_y) in zip(line, above, strict=True):
            assert below_last < token_y < left[1] < name_y


def test_the_longest_tokens_reach_no_name_above_them(tmp_path):
    """Labels are upright, so their length is height: the panels below have to make room."""
    output = tmp_path / "a.svg"
    tokens = ["W" * 16, *COLUMNS[1:]]
    draw_heads(panels(4), ROWS, tokens, output)
    (size,) = {
        float(found) for found in re.findall(r"font-size: ([\d.]+)px[^>]*>W{16}<", output.read_text(encoding="utf-8"))
    }
    length = matplotlib.textpath.TextPath((0, 0), "W" * 16, size=size).get_extents().width
    second_line = max(y for _, y in places_of(output, "W" * 16))
    assert second_line - length > max(y for _, y in places_of(output, "head 1"))


def test_names_of_rows_and_columns_are_those_asked_for(tmp_path):
    output = tmp_path / "a.svg"
    draw_heads(panels(4), ROWS, COLUMNS, output, axes=("written", "read"))
    assert texts_of(output).count("written") == texts_of(output).count("read") == 2
    assert not {"source", "target"} & set(texts_of(output))


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (9, 1, 31), (2, 997, 3)])
def test_any_size_makes_a_picture_that_a_viewer_can_open(count, rows, columns, tmp_path):
    output = tmp_path / "a.png"
    tokens = [["▁Donaudampfschifffahrt"] * length for length in (rows, columns)]
    draw_heads(panels(count, rows, columns), *tokens, output)
    data = output.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert max(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) < 8000


def test_what_cannot_be_drawn(tmp_path):
    with pytest.raises(UserError, match="there is no attention to draw: 0 heads, 3 and 5 tokens"):
        draw_heads([], ROWS, COLUMNS, tmp_path / "a.png")
    with pytest.raises(UserError, match="there is no attention to draw"):
        draw_heads(panels(1, 0), [], COLUMNS, tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.gif has the suffix"):
        draw_heads(panels(1), ROWS, COLUMNS, tmp_path / "a.gif")
    with pytest.raises(ValueError, match=r"head 1: weights of shape \(3, 5\) do not fit 5 rows and 3 columns"):
        draw_heads(panels(1), COLUMNS, ROWS, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
