from __future__ import annotations

import base64
import io
import logging
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import MissingExtra, UserError
from seq2seq_attn.visualization.heatmap import draw_attention
from seq2seq_attn.visualization.picture import check_picture_path, readable

matplotlib = pytest.importorskip("matplotlib")

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"


def random_weights(target_len: int, source_len: int, seed: int = 1) -> np.ndarray:
    weights = np.random.default_rng(seed).exponential(size=(target_len, source_len)) ** 3
    return weights / weights.sum(axis=1, keepdims=True)


def words(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def size_of(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[-8:-4] == b"IEND"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def texts_of(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def places_of(path: Path) -> dict[str, tuple[float, float]]:
    places = {}
    for element in ElementTree.parse(path).iter(f"{SVG}text"):
        moved = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        x, y = moved.groups() if moved else (element.get("x", "nan"), element.get("y", "nan"))
        places[element.text or ""] = (float(x), float(y))
    return places


def pixels_of(path: Path) -> np.ndarray:
    """The matrix as the SVG holds it: one pixel per weight."""
    images = list(ElementTree.parse(path).iter(f"{SVG}image"))
    data = [image.get(XLINK) or image.get("href") or "" for image in images]
    content = base64.b64decode(data[0].partition("base64,")[2])
    return np.asarray(matplotlib.image.imread(io.BytesIO(content)))[..., :3]


def test_the_drawn_matrix_is_the_weights(tmp_path):
    # a transposed, flipped or rescaled matrix makes a plausible picture of something else
    weights = random_weights(7, 5)
    output = tmp_path / "a.svg"
    draw_attention(weights, words(5, "s"), words(7, "t"), output)
    pixels = pixels_of(output)
    assert pixels.shape == (7, 5, 3)
    expected = matplotlib.colormaps["Blues"](weights)[..., :3]
    np.testing.assert_allclose(pixels, expected, atol=1.5 / 255)


def test_the_color_scale_is_0_to_1_whatever_the_weights_are(tmp_path):
    weights = np.full((3, 5), 0.2)
    output = tmp_path / "a.svg"
    draw_attention(weights, words(5, "s"), words(3, "t"), output)
    np.testing.assert_allclose(
        pixels_of(output), np.broadcast_to(matplotlib.colormaps["Blues"](0.2)[:3], (3, 5, 3)), atol=1.5 / 255
    )
    assert {"0.0", "1.0"} <= set(texts_of(output)) or {"0.00", "1.00"} <= set(texts_of(output))


def test_the_source_runs_along_the_top_and_the_target_down_the_left(tmp_path):
    output = tmp_path / "a.svg"
    draw_attention(random_weights(3, 5), words(5, "s"), words(3, "t"), output, title="above all")
    places = places_of(output)
    source = [places[f"s{number}"] for number in range(5)]
    target = [places[f"t{number}"] for number in range(3)]
    assert source == sorted(source)
    assert [y for _, y in target] == sorted(y for _, y in target)
    assert max(y for _, y in source) < min(y for _, y in target)
    assert max(x for x, _ in target) < min(x for x, _ in source)
    assert places["above all"][1] < places["source"][1] < min(y for _, y in source)


def test_small_matrices_show_their_numbers_and_large_ones_do_not(tmp_path):
    draw_attention(np.array([[0.128, 0.87, 0.002]]), ["a", "b", "c"], ["x"], tmp_path / "small.svg")
    assert {"0.13", "0.87"} <= set(texts_of(tmp_path / "small.svg"))
    assert texts_of(tmp_path / "small.svg").count("0.00") <= 1  # the foot of the color bar, not the third weight
    weights = np.eye(13)[:, ::-1]
    draw_attention(weights, words(13, "s"), words(13, "t"), tmp_path / "large.svg")
    assert "1.00" not in texts_of(tmp_path / "large.svg")


@pytest.mark.parametrize(("target_len", "source_len"), [(1, 1), (5, 7), (61, 59), (1, 60), (60, 1)])
def test_every_label_is_drawn_and_has_room(target_len, source_len, tmp_path):
    weights = random_weights(target_len, source_len)
    output = tmp_path / "a.svg"
    draw_attention(weights, words(source_len, "s"), words(target_len, "t"), output, title="All of it")
    assert {*words(source_len, "s"), *words(target_len, "t"), "All of it"} <= set(texts_of(output))
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", output.read_text(encoding="utf-8"))]
    sizes += [float(size) for size in re.findall(r"font: ([\d.]+)px", output.read_text(encoding="utf-8"))]
    assert min(sizes) >= 8
    places = places_of(output)
    steps = np.diff([places[f"t{number}"][1] for number in range(target_len)])
    assert (steps > 10).all()  # points from one label to the next, more than the letters are high
    draw_attention(weights, words(source_len, "s"), words(target_len, "t"), tmp_path / "a.png")
    width, height = size_of(tmp_path / "a.png")
    assert width > source_len * 30
    assert height > target_len * 30


def test_hundreds_of_tokens_still_make_a_picture_that_a_viewer_can_open(tmp_path):
    output = tmp_path / "a.png"
    draw_attention(random_weights(3, 997), words(997, "s"), words(3, "t"), output)
    assert max(size_of(output)) < 8000


TOKENS = ["$x_1$", "$", r"\$5", "a_b^2", "<script>", "&amp;", "%", "▁não", "Äpfel", "你好", "مرحبا", "😀", "हिन्दी"]


def test_tokens_are_shown_as_they_are_written(tmp_path):
    # matplotlib reads $...$ as a formula, and an SVG is XML
    output = tmp_path / "a.svg"
    draw_attention(random_weights(13, 13), TOKENS, TOKENS, output, title="$y^2$ & <b>")
    shown = texts_of(output)
    assert all(shown.count(token) == 2 for token in TOKENS)
    assert "$y^2$ & <b>" in shown


def test_what_no_font_has_is_spelled_out_and_the_log_names_it(tmp_path, caplog):
    # no script has a letter here: U+E0FF is for private use; warnings are errors in this suite
    with caplog.at_level(logging.WARNING):
        draw_attention(random_weights(13, 13), TOKENS, TOKENS, tmp_path / "a.png", title="你好 😀")
        caplog.clear()
        draw_attention(np.ones((2, 1)), ["\ue0ff"], ["é", "$"], tmp_path / "b.png")
    assert len(caplog.records) == 1
    assert "no font on this machine has \ue0ff (U+E0FF): " in caplog.text
    assert "b.png shows numbers such as [U+E0FF] in their place; install a font" in caplog.text
    assert size_of(tmp_path / "b.png")[0] > 100


def test_an_svg_takes_the_readers_fonts_and_warns_of_none(tmp_path, caplog):
    draw_attention(np.ones((1, 1)), ["\ue0ff"], ["你"], tmp_path / "b.svg")
    assert caplog.records == []
    assert {"\ue0ff", "你"} <= set(texts_of(tmp_path / "b.svg"))


@pytest.mark.parametrize(
    ("token", "label"),
    [
        ("word", "word"),
        ("▁word", "▁word"),
        (" ", "␣"),
        ("a b", "a␣b"),
        ("", "∅"),
        ("\n", r"\n"),
        ("\t\x00", r"\t\x00"),
        ("\u2028", r"\u2028"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
        ("\uffff", r"\uffff"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("क\u200dष", "क\u200dष"),
        ("x" * 24, "x" * 24),
        ("x" * 25, "x" * 23 + "…"),
        ("x" * 22 + "e\u0301" * 2, "x" * 22 + "…"),  # 26 characters: no letter loses its accent
    ],
)
def test_every_token_becomes_a_label_that_shows(token, label, tmp_path):
    assert readable(token) == label
    for name in ("a.svg", "a.png"):
        draw_attention(np.ones((1, 1)), [token], [token], tmp_path / name, title=token)
    assert texts_of(tmp_path / "a.svg").count(label) >= 2


def test_the_same_picture_is_the_same_file(tmp_path):
    for suffix in ("png", "svg"):
        for name in ("a", "b"):
            draw_attention(random_weights(5, 7), words(7, "s"), words(5, "t"), tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_folders_are_made_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    output = tmp_path / "new" / "folder" / "A.PNG"
    output.parent.mkdir(parents=True)
    output.write_text("old")
    draw_attention(np.ones((1, 1)), ["a"], ["b"], output)
    draw_attention(np.ones((1, 1)), ["a"], ["b"], tmp_path / "newer" / "a.png")
    assert [path.name for path in output.parent.iterdir()] == ["A.PNG"]
    assert size_of(output) == size_of(tmp_path / "newer" / "a.png")


def test_the_settings_of_the_caller_stay_and_do_not_matter(tmp_path):
    draw_attention(random_weights(2, 3), words(3, "s"), words(2, "t"), tmp_path / "a.svg")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 37, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        draw_attention(random_weights(2, 3), words(3, "s"), words(2, "t"), tmp_path / "b.svg")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_drawing_needs_neither_pyplot_nor_a_display(tmp_path):
    code = (
        "import sys, pathlib, numpy; from seq2seq_attn.visualization.heatmap import draw_attention\n"
        "assert 'matplotlib' not in sys.modules\n"
        "draw_attention(numpy.ones((1, 1)), ['a'], ['b'], pathlib.Path(sys.argv[1]))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "MPLBACKEND"}}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        capture_output=True,
        check=True,
        text=True,
        env=environment,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["a.jpg", "a.html", "a", ".png"])
def test_another_file_type_names_the_ones_that_work(name, tmp_path):
    with pytest.raises(UserError, match=r"a picture is written as \.png or \.svg") as caught:
        draw_attention(np.ones((1, 1)), ["a"], ["b"], tmp_path / name)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_file_type_can_be_checked_before_the_work():
    check_picture_path(Path("a.PNG"))
    check_picture_path(Path("b.svg"))
    with pytest.raises(UserError, match=r"^a\.gif has the suffix '\.gif'; a picture is written as \.png or \.svg$"):
        check_picture_path(Path("a.gif"))
    with pytest.raises(UserError, match=r"^picture has no suffix; "):
        check_picture_path(Path("picture"))


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*a\.png: "):
        draw_attention(np.ones((1, 1)), ["a"], ["b"], tmp_path / "file" / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*b\.png: "):
        draw_attention(np.ones((1, 1)), ["a"], ["b"], tmp_path / "b.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "file"]


def test_weights_that_do_not_fit_the_tokens(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(5, 3\) do not fit 3 target tokens and 5 source tokens"):
        draw_attention(np.ones((5, 3)), words(5, "s"), words(3, "t"), tmp_path / "a.png")


def test_no_tokens_no_picture(tmp_path):
    with pytest.raises(UserError, match="there is no attention to draw: 3 source and 0 target tokens"):
        draw_attention(np.ones((0, 3)), words(3, "s"), [], tmp_path / "a.png")


def test_without_matplotlib_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"^drawing a picture needs matplotlib: pip install 'seq2seq-attn\[plot\]'$"):
        draw_attention(np.ones((1, 1)), ["a"], ["b"], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_an_installed_font_that_has_the_characters_is_taken(tmp_path, caplog):
    # matplotlib does not look for one by itself: Chinese stays boxes beside an installed Chinese font
    font_builder = pytest.importorskip("fontTools.fontBuilder")
    tt_glyph_pen = pytest.importorskip("fontTools.pens.ttGlyphPen")
    from matplotlib import font_manager

    pen = tt_glyph_pen.TTGlyphPen(None)
    for index, point in enumerate([(0, 0), (0, 700), (600, 700), (600, 0)]):
        (pen.lineTo if index else pen.moveTo)(point)
    pen.closePath()
    builder = font_builder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "block"])
    builder.setupCharacterMap({0xE0F7: "block"})
    builder.setupGlyf({".notdef": tt_glyph_pen.TTGlyphPen(None).glyph(), "block": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "block": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "One Block", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    path = tmp_path / "block.ttf"
    builder.save(path)
    draw_attention(np.ones((1, 1)), ["\ue0f8"], ["a"], tmp_path / "without.png")
    assert "no font on this machine has \ue0f8 (U+E0F8)" in caplog.text
    caplog.clear()
    before = list(font_manager.fontManager.ttflist)
    (tmp_path / "bitmaps.ttf").write_bytes(b"a font that matplotlib cannot open, as many emoji fonts are")
    unreadable = font_manager.FontEntry(fname=str(tmp_path / "bitmaps.ttf"), name="A", style="normal", weight=400)
    font_manager.fontManager.ttflist.insert(0, unreadable)
    font_manager.fontManager.addfont(str(path))
    try:
        draw_attention(np.ones((1, 1)), ["\ue0f7"], ["a"], tmp_path / "with.png")
    finally:
        font_manager.fontManager.ttflist[:] = before
    assert caplog.records == []
