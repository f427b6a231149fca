"""A browser as the tests see it: every request and every error of a page is noted, and nothing leaves this machine.

``tests/browser/conftest.py`` makes fixtures of this. Tests talk to a page by playwright's own names.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)

# Read by Python and by the browser: what both understand alike.
AWAY = re.compile(
    r"^(?!(file|data|blob|about|chrome-error):|(http|ws)s?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$))"
)

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`refused by the content security policy (${event.effectiveDirective}): ${event.blockedURI}`);
});
"""

WIDTHS = (1280, 390)
HEIGHT = 844
PATIENCE = 60_000  # milliseconds; other tests run beside


def find_browser() -> str | None:
    """Return the program named by ``$CHROMIUM``, or the first that is installed."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright, program: str) -> Browser:
    """Start a browser without windows, with a profile of its own that goes when it ends."""
    return playwright.chromium.launch(
        executable_path=program,
        args=list(ARGUMENTS),
        chromium_sandbox=os.geteuid() != 0,  # root may not have one
        timeout=PATIENCE,
    )


class Watch:
    """What happened in a page since it was opened."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    @property
    def left(self) -> list[str]:
        """The requests to other hosts; they were stopped."""
        return [url for url in self.requests if AWAY.match(url)]

    def expect_error(self, pattern: str) -> None:
        """Take errors that match ``pattern`` for granted, as the 429 that a test asks for; there must be one."""
        self._expected.append(re.compile(pattern))

    def check(self) -> None:
        """Fail where the page made an error that was not expected, or asked for anything beyond this machine."""
        assert self.left == [], "requests left this machine"
        others = [error for error in self.errors if not any(pattern.search(error) for pattern in self._expected)]
        assert others == [], "errors in the page"
        for pattern in self._expected:
            assert any(map(pattern.search, self.errors)), f"no error in the page matches {pattern.pattern!r}"

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def attach(self, page: Page) -> None:
        """Note from now on what the page, its frames, its workers and the windows that it opens do."""
        context = page.context
        context.add_init_script(REPORT_VIOLATIONS)
        context.route(AWAY, lambda route: route.abort())
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("page", lambda other: other.on("websocket", lambda socket: self.requests.append(socket.url)))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("crash", lambda _: self.errors.append("the page crashed"))


@contextlib.contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[tuple[Page, Watch]]:
    """Open a page in a context of its own (``options`` are those of ``new_context``); the caller checks the watch."""
    context = browser.new_context(**({"viewport": {"width": WIDTHS[0], "height": HEIGHT}} | options))
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        watch = Watch()
        watch.attach(page)
        yield page, watch
    finally:
        context.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as any static server does; yield its address, which ends with a slash."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def sideways(page: Page) -> list[str]:
    """List what makes the page wider than its window, by tag and class; nothing where it does not scroll sideways."""
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.scrollingElement.scrollWidth <= width) return [];
          const scrolls = (part) => part !== document.body && getComputedStyle(part).overflowX !== "visible";
          const inside = (part) => part.parentElement && (scrolls(part.parentElement) || inside(part.parentElement));
          const wide = [...document.body.querySelectorAll("*")].filter((part) => {
            const box = part.getBoundingClientRect();
            const text = part.clientWidth && !scrolls(part) ? box.left + part.scrollWidth : 0; // what it cannot break
            return Math.max(box.right, text) > width + 1 && !inside(part);
          });
          const name = (part) => `${part.tagName.toLowerCase()}.${part.getAttribute("class") ?? ""}`;
          return ["the page", ...wide.map(name)];
        }"""
    )
    return found


def take_pictures(page: Page, name: str, folder: Path, *, whole: bool = False) -> list[Path]:
    """Picture the page as it stands, wide and narrow, light and dark; ``whole`` goes beyond the window's height.

    In every one of them the page must fit its width. Window and colors are those of before when it is done.
    """
    size = page.viewport_size
    pictures = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        wide = sideways(page)
        assert wide == [], f"{name} scrolls sideways at {width} px: {wide}"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            pictures.append(folder / f"{name}-{width}-{scheme}.png")
            page.screenshot(path=pictures[-1], full_page=whole, animations="disabled")
    page.emulate_media(color_scheme="null")
    if size:
        page.set_viewport_size(size)
    return pictures
