"""A browser for all tests of this folder, and for each a page that is watched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import PATIENCE, find_browser, launch, served, take_pictures, watched_page

if TYPE_CHECKING:
    from browsing import Watch
    from playwright.sync_api import Browser, Page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


# Not for the session: while playwright runs, its event loop is the current one, and tests elsewhere run their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser, for tests that open pages of their own; others ask for ``page``."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    program = find_browser()
    if program is None:
        pytest.skip("no browser: scripts/install_browser.sh installs one, $CHROMIUM names another")
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=PATIENCE)
        browser = launch(playwright, program)
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[tuple[Page, Watch]]:
    with watched_page(browser) as (page, watch):
        yield page, watch
        watch.check()


@pytest.fixture
def page(watched: tuple[Page, Watch]) -> Page:
    """A fresh page; when the test ends, no error was made in it and no request left this machine."""
    return watched[0]


@pytest.fixture
def watch(watched: tuple[Page, Watch]) -> Watch:
    """What happened in ``page``: requests, errors."""
    return watched[1]


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Callable[[str], None]:
    """Open a text of HTML as the file that a user opens by a double click."""

    def open_text(html: str) -> None:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())

    return open_text


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    """Serve a folder until the test ends; returns its address."""
    with contextlib.ExitStack() as stack:
        yield lambda folder: stack.enter_context(served(folder))


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[..., list[Path]]:
    """Picture ``page`` by a name, wide and narrow, light and dark; in ``$SCREENSHOTS`` where people want to look."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name, **options: take_pictures(page, name, folder, **options)
