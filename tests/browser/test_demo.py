"""The demo: one file that translates, opened as a double click opens it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

DEMO = Path(__file__).parents[2] / "docs" / "demo" / "toy.html"

expect.set_options(timeout=60_000)  # unpacking and compiling a runtime of 14 MB takes a busy machine a while


def test_it_translates_from_a_file(page: Page, watch) -> None:
    page.goto(DEMO.as_uri())
    expect(page.locator("#status")).to_contain_text("Translated in")  # the sentence that it comes with
    page.locator("#source").fill("The girl helped a black cat .")
    expect(page.locator("#target")).to_contain_text("A menina ajudou um gato preto .")
    expect(page.locator("#attention .attention-view")).to_be_visible()
    assert [url for url in watch.requests if not url.startswith(("file:", "blob:", "data:"))] == []
