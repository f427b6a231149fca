"""An attention document as a page to look at: one file that loads nothing, whatever its text is.

The drawing is done in the reader's browser by ``assets/attention.js``, which is built from ``web/src/view``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from seq2seq_attn.visualization.page import Markup, element, sentence

SCRIPT, STYLE = "attention.js", "attention.css"

LARGEST_PLAIN = 300_000
"""Bytes; the document of a page that would be larger is compressed, and its reader's browser unpacks it."""

_START = """
(async () => {
  const page = document.getElementById("attention");
  const held = document.getElementById("document");
  try {
    let text = held.textContent;
    if (held.type !== "application/json") {
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    }
    seq2seqAttention.mountAttention(page, JSON.parse(text));
  } catch (error) {
    page.textContent = "This attention document cannot be drawn: " + error.message;
  }
})();
"""
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #ffffff; color: #1b1f24; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #14181d; color: #e6e9ec; } }
@media print { body { background: #ffffff; color: #000000; } main { padding: 0; max-width: none; } }
"""
# what would end the script early, or a line inside it
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@cache
def asset(name: str) -> str:
    """Return the text of a file that the attention view consists of: ``attention.js`` or ``attention.css``."""
    return files("seq2seq_attn.visualization").joinpath("assets").joinpath(name).read_text(encoding="utf-8")


def attention_page(document: Mapping[str, Any]) -> str:
    """Return an attention document as one HTML file, which needs no network.

    Its policy lets nothing run but the view itself, named by its hash, and nothing be fetched. All text of the
    document is data to it. Without scripts a reader still sees the sentences.

    Args:
        document: as :func:`seq2seq_attn.translation.document.attention_document` makes it.
    """
    page = _page(document, "application/json", embedded(document))
    if len(page.encode()) <= LARGEST_PLAIN:
        return page
    packed = gzip.compress(json.dumps(document, separators=(",", ":"), allow_nan=False).encode(), mtime=0)
    return _page(document, "application/gzip", base64.b64encode(packed).decode("ascii"))


def _page(document: Mapping[str, Any], kind: str, content: str) -> str:
    """Return the page around a document that is written in one way or another."""
    script, style = asset(SCRIPT) + _START, _PAGE_STYLE + asset(STYLE)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    title = str(document["title"]) or "Attention"
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("title", title),
        element("style", Markup(style)),
    )
    plain = [
        element("p", sentence(panel["source"], panel["source_language"]), " → ", sentence(panel["text"]))
        for panel in document["panels"]
    ]
    body = element(
        "body",
        element(
            "main",
            element("h1", title, attributes={"dir": "auto"}),
            element("div", element("noscript", *plain), attributes={"id": "attention"}),
        ),
        Markup(f'<script type="{kind}" id="document">{content}</script>'),
        element("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, attributes={'lang': 'en'})}\n"


def embedded(value: object) -> str:
    """Return JSON that can stand inside a script of HTML: no text in it can end that."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "".join(_ESCAPED.get(character, character) for character in written)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode('ascii')}'"
