"""A page as a strict reader sees it: tags that fit, places that exist, nothing fetched, nothing run."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input"}
FETCHING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background", "formaction"}


class Page(HTMLParser):
    """Parses a whole page and refuses what no browser should have to mend."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"not closed: {self._open}"
        assert html.startswith("<!DOCTYPE html>\n<html")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag}: an attribute twice"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> of nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another one"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that a reader reads."""
        return " ".join(" ".join(self.texts).split())

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(html: str) -> Page:
    """Parse a page; it must be complete in itself. Nothing runs in it but what its policy names by its hash."""
    page = Page(html)
    policy = next(attributes["content"] for attributes in page.named("meta") if "http-equiv" in attributes)
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    kinds = [attributes.get("type", "") for attributes in page.named("script")]
    assert len(kinds) == len(page.scripts)
    for kind, script in zip(kinds, page.scripts, strict=True):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        assert kind == "application/json" or f"'sha256-{digest}'" in policy
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(identities)) == len(identities), "an id stands twice"
    assert not page.named("link")
    assert not page.named("iframe")
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} {name}: runs something"
            if name in FETCHING:
                assert value.startswith(("#", "data:image/svg+xml;base64,")), f"{tag} {name}={value[:60]} is fetched"
            if name == "href":
                assert value[1:] in identities, f"{value} leads nowhere"
            if name == "aria-labelledby":
                assert value in identities
        if tag == "img":
            assert attributes["alt"]
    head = html[: html.index("</head>")]
    assert "@import" not in head
    assert "url(" not in head
    return page
