"""Labels of any script and any number: none covers another, each is turned to its column."""

from __future__ import annotations

import base64
import io
import itertools
import logging
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.visualization.heads import Panel, draw_heads
from seq2seq_attn.visualization.heatmap import draw_attention
from seq2seq_attn.visualization.labels import reads_right_to_left, width_of, wrap
from seq2seq_attn.visualization.picture import picture_style

matplotlib = pytest.importorskip("matplotlib")
textpath = pytest.importorskip("matplotlib.textpath")
font_manager = pytest.importorskip("matplotlib.font_manager")

SVG = "{http://www.w3.org/2000/svg}"
SENTENCES = {
    "english": "▁A ▁young ▁girl ▁is ▁jump ing ▁over ▁a ▁Donaudampfschifffahrt . ▁Two ▁dogs",
    "chinese": "▁我 喜欢 在 公园 里 散步 。 因为 那里 很 安静 ，",
    "arabic": "▁أحب ▁المشي ▁في ▁الحديقة ▁كل ▁صباح . ▁لأن ▁المكان ▁هادئ ▁جدا ،",
    "hebrew": "▁אני ▁אוהב ▁ללכת ▁בפארק ▁כל ▁בוקר . ▁כי ▁המקום ▁שקט ▁מאוד ,",
    "hindi": "▁मुझे ▁पार्क ▁में ▁टहल ना ▁पसंद ▁है । ▁क्योंकि ▁वहाँ ▁शांति ▁है",
    "thai": "▁ฉัน ชอบ เดิน เล่น ใน สวน ทุก เช้า เพราะ ที่นั่น เงียบ มาก",
}


def tokens_of(language: str, count: int) -> list[str]:
    words = itertools.cycle(SENTENCES[language].split())
    return [*itertools.islice(words, count - 1), "</s>"]


def weights_of(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.full(columns, 0.2), size=rows)


Box = list[tuple[float, float]]


def boxes_of(path: Path) -> list[tuple[str, Box]]:
    """Measure every text of an SVG: the four corners around its letters, turned as it is."""
    found = []
    for element in ElementTree.parse(path).iter(f"{SVG}text"):
        style, text = element.get("style", ""), element.text or ""
        size = float(re.search(r"font(?:-size)?: ([\d.]+)px", style).group(1))  # type: ignore[union-attr]
        families = re.findall(r"'([^']+)'", style)
        outline = textpath.TextPath((0, 0), text, size=size, prop=font_manager.FontProperties(family=families))
        left, bottom, right, top = outline.get_extents().extents if len(outline) else (0.0, 0.0, 0.0, 0.0)
        anchor = re.search(r"text-anchor: (\w+)", style)
        shift = {"middle": -right / 2, "end": -right}.get(anchor.group(1) if anchor else "", 0.0)
        moved = element.get("transform", "")
        place = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", moved)
        x, y = map(float, place.groups() if place else (element.get("x", 0), element.get("y", 0)))
        turned = re.search(r"rotate\(([-\d.]+)", moved)
        angle = math.radians(float(turned.group(1)) if turned else 0.0)
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        found.append((text, [turn(u + shift, -v, angle, x, y) for u, v in corners]))
    return found


def turn(u: float, v: float, angle: float, x: float, y: float) -> tuple[float, float]:
    return x + u * math.cos(angle) - v * math.sin(angle), y + u * math.sin(angle) + v * math.cos(angle)


def overlap(one: Box, other: Box) -> bool:
    """Say whether two convex shapes share a point: no straight line separates them."""
    for shape in (one, other):
        for (ax, ay), (bx, by) in zip(shape, [*shape[1:], shape[0]], strict=True):
            sides = [[(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in corners] for corners in (one, other)]
            if max(sides[0]) <= min(sides[1]) or max(sides[1]) <= min(sides[0]):
                return False
    return True


def need_fonts(texts: list[str]) -> None:
    with picture_style(texts, Path("a.png")) as write:
        spelled = [text for text in texts if write(text) != text]
    if spelled:
        pytest.skip(f"no font on this machine has {spelled[0]!r}")


def check_overlaps(path: Path, *, least: int) -> None:
    boxes = boxes_of(path)
    assert len(boxes) >= least
    crossing = [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if overlap(one, other)]
    assert crossing == []


def test_boxes_that_cross_are_seen():
    """The measure itself: turned boxes that touch nothing, though their upright frames do, and some that do."""
    box = [(0.0, 0.0), (10.0, 0.0), (10.0, 2.0), (0.0, 2.0)]
    slanted = [[turn(x, y, math.radians(-45), dx, 0) for x, y in box] for dx in (0.0, 5.0, 2.0)]
    assert not overlap(slanted[0], slanted[1])
    assert overlap(slanted[0], slanted[2])
    assert overlap(box, box)


@pytest.mark.parametrize(
    ("language", "count"), [*((language, 5) for language in SENTENCES), ("english", 60), ("arabic", 60), ("hindi", 60)]
)
def test_no_label_covers_another(language, count, tmp_path):
    source, target = tokens_of(language, count), tokens_of("thai" if language == "hindi" else "english", count)
    need_fonts([*source, *target])
    output = tmp_path / "a.svg"
    title = " ".join(source[:20])
    draw_attention(weights_of(count, count), source, target, output, title=title)
    check_overlaps(output, least=2 * count + 3)


@pytest.mark.parametrize("language", ["english", "arabic"])
def test_no_label_of_a_head_covers_another(language, tmp_path):
    source, target = tokens_of(language, 13), tokens_of("english", 11)
    need_fonts(source)
    output = tmp_path / "a.svg"
    panels = [Panel(f"layer 1, head {number}", weights_of(11, 13)) for number in range(4)]
    draw_heads(panels, target, source, output, title="cross attention, layer 1")
    check_overlaps(output, least=4 * 13 + 2 * 11)


def test_which_sentences_are_read_from_right_to_left():
    for language in SENTENCES:
        assert reads_right_to_left(tokens_of(language, 12)) == (language in {"arabic", "hebrew"})
    assert reads_right_to_left(["▁مرحبا", "<unk>", "<unk>", "</s>"]), "special tokens are of no language"
    assert not reads_right_to_left(["1", "2", ".", "</s>"])
    assert not reads_right_to_left([])


def test_a_source_from_right_to_left_begins_at_the_right(tmp_path):
    output = tmp_path / "a.svg"
    source, target = ["▁אחת", "▁שתיים", "▁שלוש", "</s>"], ["▁one", "▁two", "</s>"]
    draw_attention(np.eye(3, 4), source, target, output)
    places = {text: sum(x for x, _ in box) / 4 for text, box in boxes_of(output)}
    assert [places[token] for token in source] == sorted((places[token] for token in source), reverse=True)
    assert "source, from right to left" in places
    # and the weights with them: the first target token looks at the first source token, at the right
    image = next(ElementTree.parse(output).iter(f"{SVG}image"))
    data = (image.get("{http://www.w3.org/1999/xlink}href") or "").partition("base64,")[2]
    pixels = np.asarray(matplotlib.image.imread(io.BytesIO(base64.b64decode(data))))[..., :3]
    darkest = pixels.sum(axis=2).argmin(axis=1).tolist()
    flipped = (image.get("transform") or "").startswith("matrix(-")
    assert darkest == ([0, 1, 2] if flipped else [3, 2, 1])


def test_labels_of_an_svg_run_in_the_direction_of_their_own_letters(tmp_path):
    output = tmp_path / "a.svg"
    draw_attention(np.ones((1, 1)), ["▁שלום"], ["a"], output)
    assert "text{unicode-bidi: plaintext}" in output.read_text(encoding="utf-8")
    assert "▁שלום" in [text for text, _ in boxes_of(output)], "letters in the order they are read in"


def test_long_titles_are_broken_by_their_width():
    assert wrap("short", 20) == "short"
    lines = wrap("a b " * 40, 20).split("\n")
    assert max(map(width_of, lines)) <= 20
    assert " ".join(lines).split() == ["a", "b"] * 40
    wide = wrap("漢" * 45, 20).split("\n")
    assert max(map(width_of, wide)) <= 20
    assert "".join(wide) == "漢" * 45


def test_without_its_fonts_a_script_is_spelled_out(monkeypatch, caplog):
    """As on a machine without fonts but matplotlib's own, whatever this machine has."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    with caplog.at_level(logging.WARNING), picture_style(["⺀ ㆕", "é"], Path("a.png")) as write:
        assert write("é⺀ ㆕\u200d") == "é[U+2E80] [U+3195]"
    assert "⺀ (U+2E80), ㆕ (U+3195): a.png shows numbers such as [U+2E80]" in caplog.text
    with picture_style(["⺀"], Path("a.svg")) as write:
        assert write("⺀") == "⺀", "an SVG is shown with the fonts of its reader"


def test_a_font_that_was_installed_later_is_found():
    """matplotlib keeps a list of fonts, and never looks again: the advice to install one would not help."""
    known = {Path(entry.fname) for entry in font_manager.fontManager.ttflist}
    if not {path for path in known if "noto" in path.name.lower()}:
        pytest.skip("no Noto font on this machine")
    code = (
        "from matplotlib import font_manager as fonts\n"
        "manager = fonts.fontManager\n"
        "noto = [entry for entry in manager.ttflist if 'noto' in entry.fname.lower()]\n"
        "manager.ttflist[:] = [entry for entry in manager.ttflist if entry not in noto]\n"
        "from seq2seq_attn.visualization.fonts import find_fonts\n"
        "families, missing = find_fonts('हि')\n"
        "print(any('Devanagari' in family for family in families), *missing)"
    )
    if not any("Devanagari" in entry.name for entry in font_manager.fontManager.ttflist):
        pytest.skip("no font for Devanagari on this machine")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["True"], done.stdout


def test_color_emoji_made_of_bitmaps_are_not_taken_for_drawn():
    """matplotlib opens such a font, and draws nothing: silence where a picture should be."""
    with picture_style(["👧🏽"], None) as write:
        shown = write("👧🏽")
    if any("Emoji" in entry.name or "Symbola" in entry.name for entry in font_manager.fontManager.ttflist):
        pytest.skip("this machine has emoji that can be drawn")
    assert shown == "[U+1F467][U+1F3FD]"


def test_an_older_matplotlib_says_which_scripts_it_does_not_shape(monkeypatch, caplog):
    monkeypatch.setattr(matplotlib, "__version_info__", (3, 10, 8))
    with caplog.at_level(logging.WARNING):
        with picture_style(["abc é", "مرحبا", "שלום"], Path("a.png")):
            pass
        with picture_style(["مرحبا"], Path("a.svg")):
            pass
        with picture_style(["abc"], Path("b.png")):
            pass
    (record,) = caplog.records
    assert "sets the letters of Arabic, Hebrew one by one and from left to right in a.png" in record.getMessage()
    assert "install matplotlib 3.11 or later, or write an .svg" in record.getMessage()
