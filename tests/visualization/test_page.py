from __future__ import annotations

import base64

import pytest
from html_checks import Page, check_page

from seq2seq_attn.visualization.page import (
    Markup,
    definitions,
    details,
    document,
    element,
    escape,
    join,
    navigation,
    picture,
    section,
    sentence,
    table,
)

NASTY = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "&lt;b&gt; & &#60;",
    "<!-- --> ]]> <![CDATA[",
    "</style><style>* { display: none }",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", NASTY)
def test_text_stays_text_wherever_it_stands(text):
    page = check_page(
        document(
            text,
            text,
            definitions({text: text}),
            navigation({text: "place"}),
            section(text, text, identity="place"),
            details(text, text),
            table([text, text], [[text, text]], caption=text),
            sentence(text, text),
            element("p", text, attributes={"title": text, "class": text}),
            picture(text.encode(), text),
            join([text, text]),
        )
    )
    names = {name for name, _ in page.tags}
    expected = """html head meta title style body main h1 dl div dt dd nav a section h2 details summary
        table caption thead tbody tr th td span p figure img"""
    assert names == set(expected.split())
    assert [attributes["title"] for attributes in page.named("p")] == [text]
    assert [attributes["alt"] for attributes in page.named("img")] == [text]
    assert page.text.count(" ".join(text.split())) == 19


def test_markup_is_left_alone_and_only_markup():
    assert escape(Markup("<b>")) == "<b>"
    assert escape("<b>") == "&lt;b&gt;"
    assert element("p", Markup("<b>x</b>"), "<b>") == "<p><b>x</b>&lt;b&gt;</p>"
    # what is put together from markup is text again, so that nothing becomes markup by accident
    assert escape(Markup("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x00", r"\x00"), ("\u202e", r"\u202e"), ("\ud800", r"\ud800"), ("a\u2028b", r"a\u2028b"), ("\u0301", "◌\u0301")],
)
def test_characters_that_would_hide_or_turn_round_what_follows_are_spelled_out(text, shown):
    html = document("page", sentence(text))
    html.encode()
    assert shown in Page(html).text


def test_a_sentence_has_its_language_and_its_own_direction():
    assert sentence("oi", "pt-BR") == '<span dir="auto" lang="pt-BR">oi</span>'
    assert sentence("oi", 'e"n') == '<span dir="auto">oi</span>'
    assert sentence("", "") == '<span dir="auto">∅</span>'


def test_a_table_says_what_its_heads_are():
    page = Page("<!DOCTYPE html>\n<html>" + table(["a", "b"], [["c", "d"], ["e", "f"]], caption="g") + "</html>")
    assert [attributes["scope"] for attributes in page.named("th")] == ["col", "col", "row", "row"]
    assert len(page.named("td")) == 2
    assert page.named("div") == [{"class": "scroll", "tabindex": "0", "role": "region", "aria-label": "g"}]
    assert "thead" not in table([], [["c", "d"]])


def test_a_picture_is_inside_the_page():
    html = picture(b"<svg>\xc3\xa9</svg>", "what it shows")
    data = html.split('src="data:image/svg+xml;base64,')[1].split('"')[0]
    assert base64.b64decode(data) == b"<svg>\xc3\xa9</svg>"


def test_details_open_by_keyboard_without_a_program():
    assert details("more", "text") == "<details><summary>more</summary>text</details>"
    assert details("more", "text", is_open=True).startswith("<details open>")


def test_a_page_is_for_light_dark_and_paper():
    html = document("page")
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    assert ":focus-visible" in html


def contrast(one: str, other: str) -> float:
    """The contrast of two colors as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_all_text_can_be_read_in_every_scheme():
    schemes = document("page").split(":root {")[1:]
    assert len(schemes) == 3
    for scheme in schemes:
        colors = dict(part.strip().split(": ") for part in scheme.split("}")[0].split(";") if "--" in part)
        for name in ("--ink", "--quiet", "--link"):
            assert contrast(colors[name], colors["--paper"]) >= 4.5, (name, colors)
