"""A page of HTML from small functions: nothing is loaded, nothing but our own script is run, all text is escaped.

Whatever is no :class:`Markup` is text, and every function here escapes text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence

from seq2seq_attn.libraries import optional_import
from seq2seq_attn.visualization.page_style import STYLE
from seq2seq_attn.visualization.picture import visible

_VOID = frozenset({"img", "meta"})  # have no end tag
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # BCP 47, near enough
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Return text as HTML that shows it; characters that would not show, or turn others round, are spelled out."""
    return text if isinstance(text, Markup) else Markup(html.escape(visible(text), quote=True))


def element(name: str, *content: str, attributes: Mapping[str, str] | None = None) -> Markup:
    """Return one element around ``content``; an attribute with an empty value stands alone."""
    written = "".join(f' {key}="{escape(value)}"' if value else f" {key}" for key, value in (attributes or {}).items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(map(escape, content))}</{name}>")


def join(parts: Sequence[str]) -> Markup:
    """Put parts one behind the other."""
    return Markup("\n".join(map(escape, parts)))


def sentence(text: str, language: str = "") -> Markup:
    """Return a sentence in its own direction and, where it is a code that readers know, its language."""
    known = {"lang": language} if _LANGUAGE.fullmatch(language) else {}
    return element("span", text or "∅", attributes={"dir": "auto", **known})


def section(title: str, *content: str, identity: str, level: int = 2) -> Markup:
    """Return a section under a heading that links can point to."""
    heading = element(f"h{level}", title, attributes={"id": identity})
    return element("section", heading, *content, attributes={"aria-labelledby": identity})


def details(summary: str, *content: str, is_open: bool = False) -> Markup:
    """Return something that a reader opens, by keyboard, too."""
    return element("details", element("summary", summary), *content, attributes={"open": ""} if is_open else {})


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", kind: str = "numbers") -> Markup:
    """Return a table; the first cell of a row is its head.

    Args:
        head: titles of the columns, or none.
        rows: text or markup, as many cells as columns.
        caption: what the table says.
        kind: its class: ``numbers`` are flush right, ``text`` is not.
    """
    titles = (element("th", title, attributes={"scope": "col"}) for title in head)
    body = [
        element("tr", element("th", first, attributes={"scope": "row"}), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    parts = [element("caption", caption)] if caption else []
    parts += [element("thead", element("tr", *titles))] if head else []
    parts.append(element("tbody", *body))
    scrolled = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption or "table"}
    return element("div", element("table", *parts, attributes={"class": kind}), attributes=scrolled)


def definitions(facts: Mapping[str, str]) -> Markup:
    """Return a list of names and values."""
    return element("dl", *(element("div", element("dt", name), element("dd", fact)) for name, fact in facts.items()))


def picture(svg: bytes, alternative: str) -> Markup:
    """Return an SVG file as an image inside the page, so that nothing in it meets the rest of the page."""
    data = "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
    return element("figure", element("img", attributes={"src": data, "alt": alternative, "class": "plot"}))


def navigation(links: Mapping[str, str]) -> Markup:
    """Return links to places of this page: title to identity."""
    places = (element("a", title, attributes={"href": f"#{identity}"}) for title, identity in links.items())
    return element("nav", *places, attributes={"aria-label": "sections"})


def document(title: str, *content: str, script: str = "", style: str = "") -> str:
    """Return a whole page, complete in itself.

    Args:
        title: of the page.
        content: in reading order.
        script: the one program that may run, named by its hash; none: nothing runs.
        style: how the parts look that the script draws.
    """
    policy = f"{_POLICY}; script-src 'sha256-{_digest(script)}'" if script else _POLICY
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        # nothing can be fetched, and nothing else be run, whatever the text of the page is
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("title", title),
        element("style", Markup(STYLE + style)),
    )
    run = [element("script", Markup(script))] if script else []
    body = element("body", element("main", element("h1", title), *content), *run)
    return f"<!DOCTYPE html>\n{element('html', head, body, attributes={'lang': 'en'})}\n"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def check_plots() -> None:
    """See to it that plots can be drawn, before any work is done for them.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    optional_import("matplotlib", feature="a report", extra="plot")
