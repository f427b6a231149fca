"""The page around the attention view: complete in itself, and nothing in it but data and the view can run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from attention_documents import NASTY, document, panel
from html_checks import Page

from seq2seq_attn.visualization.attention_page import asset, attention_page, embedded


def policy_of(page: Page) -> dict[str, str]:
    (content,) = (found["content"] for found in page.named("meta") if "http-equiv" in found)
    return dict(rule.strip().split(" ", 1) for rule in content.split(";"))


def between(html: str, tag: str) -> str:
    """The content of the last element of a name, as a browser takes it: up to the first end tag."""
    start = html.rindex(f"<{tag}>") + len(tag) + 2
    return html[start : html.index(f"</{tag}>", start)]


def test_page_is_whole_and_strict() -> None:
    html = attention_page(document(panel(layers=2, heads=4)))
    page = Page(html)
    assert policy_of(page)["default-src"] == "'none'"
    for tag in ("script", "style"):
        content = between(html, tag)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy_of(page)[f"{tag}-src"] == f"'sha256-{digest}'"
    assert [found.get("type") for found in page.named("script")] == ["application/json", None]
    assert not page.named("link")
    for tag, attributes in page.tags:
        assert not {"src", "href", "style", "srcset", "action"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "@import" not in html
    assert "url(" not in html


def test_the_document_comes_back_as_it_was() -> None:
    given = document(panel(), panel(target=" ".join(NASTY).replace("+", "")), title=NASTY[0])
    html = attention_page(given)
    (found,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', html, flags=re.DOTALL)
    assert json.loads(found) == given


@pytest.mark.parametrize("text", NASTY)
def test_no_text_ends_the_script_or_becomes_markup(text: str) -> None:
    plain = Page(attention_page(document(panel())))
    page = Page(attention_page(document(panel(source=text, target=text, name=text), title=text)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert not set(embedded(text)) & set("<>&\u2028\u2029")
    assert json.loads(embedded(text)) == text


def test_without_scripts_the_sentences_can_be_read() -> None:
    page = Page(attention_page(document(panel("one two", "dois um"))))
    assert "one two" in page.text
    assert "dois um" in page.text


def test_size_of_a_page() -> None:
    sentence = " ".join(f"word{number}" for number in range(25))
    assert len(attention_page(document(panel(sentence, sentence))).encode()) < 150_000
    transformer = panel(sentence, sentence, layers=2, heads=4)
    assert len(attention_page(document(transformer)).encode()) < 300_000
    assert len(asset("attention.js").encode()) < 60_000
    assert len(asset("attention.css").encode()) < 20_000


def test_a_large_document_is_compressed() -> None:
    given = document(*[panel(layers=6, heads=8, seed=seed) for seed in (1, 2)], title=NASTY[0])
    assert len(embedded(given)) > 300_000
    html = attention_page(given)
    assert len(html.encode()) < 300_000
    (packed,) = re.findall(r'<script type="application/gzip" id="document">([A-Za-z0-9+/=]+)</script>', html)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == given
    assert html == attention_page(given)


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        attention_page(document({**panel(), "score": float("nan")}))


WEB = Path(__file__).parents[2] / "web" / "src" / "view"


def schemes() -> list[dict[str, str]]:
    """The colors of a light page, a dark one and paper, by name."""
    css = (WEB / "attention.css").read_text(encoding="utf-8")
    blocks = re.findall(r"\.attention-view \{(.*?)\}", css, flags=re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--av-([a-z]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return [light, {**light, **dark}, {**light, **paper}]


def light_of(color: tuple[float, ...]) -> float:
    """Relative luminance, as the Web Content Accessibility Guidelines 2.2 define it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    darker, lighter = sorted((light_of(one), light_of(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(color: str, ground: str, share: float = 1.0) -> tuple[float, ...]:
    """A color over another, as the view shades words, bars and cells."""
    parts = ([int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)] for code in (color, ground))
    return tuple(share * one + (1 - share) * other for one, other in zip(*parts, strict=True))


@pytest.mark.parametrize("number", [0, 1, 2], ids=["light", "dark", "paper"])
def test_text_stands_out_from_all_it_stands_on(number: int) -> None:
    colors = schemes()[number]
    grounds = [mixed(colors[name], "#000000") for name in ("paper", "card")]
    for name in ("ink", "quiet", "forward", "backward", "good", "bad"):
        for ground in grounds:
            assert contrast(mixed(colors[name], "#000000"), ground) >= 4.5, name
    ink = mixed(colors["ink"], "#000000")
    for tone in ("forward", "backward"):
        assert contrast(ink, mixed(colors[tone], colors["paper"], 0.45)) >= 4.5, "a shaded word"
    assert contrast(ink, mixed(colors["forward"], colors["card"], 0.32)) >= 4.5, "a bar"
    assert contrast(mixed(colors["paper"], "#000000"), mixed(colors["forward"], "#000000")) >= 4.5, "a chosen button"
    source = (WEB / "heatmap.ts").read_text(encoding="utf-8")
    strong, bright = (float(re.findall(rf"const {name} = ([0-9.]+);", source)[0]) for name in ("STRONG", "BRIGHT"))
    threshold = bright if number == 1 else strong
    for weight in (place / 100 for place in range(101)):
        number_color = colors["strong" if weight > threshold else "number"]
        assert contrast(mixed(number_color, "#000000"), mixed(colors["scale"], colors["paper"], weight)) >= 4.5, weight
