"""The attention view inside a page: a still drawing, which gives way to the view where scripts run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_attn.visualization.attention_page import asset, embedded
from seq2seq_attn.visualization.page import Markup, element

_START = """
for (const place of document.querySelectorAll(".view")) {
  const box = place.closest("details");
  const mount = () => {
    const sheet = document.createElement("div");
    place.append(sheet);
    try {
      const found = JSON.parse(place.querySelector("script").textContent);
      seq2seqAttention.mountAttention(sheet, found, { view: "map", remember: null });
      place.querySelector(".still").hidden = true;
    } catch { sheet.remove(); }
  };
  if (!box || box.open) mount();
  else box.addEventListener("toggle", mount, { once: true });
}
"""


def attention_view(document: Mapping[str, Any], still: Markup) -> Markup:
    """Return an attention document to hover over and to step through; without scripts it is a still drawing.

    The view is built when a reader opens the details that it is in.

    Args:
        document: as :func:`seq2seq_attn.translation.document.attention_document` makes it.
        still: the drawing.
    """
    data = Markup(f'<script type="application/json">{embedded(document)}</script>')
    return element("div", element("div", still, attributes={"class": "still"}), data, attributes={"class": "view"})


def view_script() -> str:
    """Return the program that makes views of all :func:`attention_view` of a page."""
    return asset("attention.js") + _START


def view_style() -> str:
    """Return how views look."""
    return asset("attention.css")
