"""Picture the pages of a run in a browser, 1280 and 390 pixels wide: what docs/images shows of them.

    python scripts/screenshots.py runs/multi30k "A man in a blue shirt is standing on a ladder." --output docs/images

The attention page, the report, the page of ``serve`` and the page that translates by itself. Needs playwright and a
browser: chromium, or the one that $CHROMIUM names.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

COMMAND = [sys.executable, "-m", "seq2seq_attn"]
WIDTHS = {1280: "light", 390: "dark"}  # pixels, and the colors of that picture
HEIGHT = 844
PATIENCE = 120_000  # milliseconds
BROWSERS = (os.environ.get("CHROMIUM", "chromium"), "chromium-browser", "google-chrome")

Ready = Callable[["Page"], None]


def run(*arguments: object) -> None:
    """Run a verb; its messages are seen."""
    subprocess.run([*COMMAND, *map(str, arguments)], check=True, stdout=sys.stderr)


@contextlib.contextmanager
def served_run(path: Path) -> Iterator[str]:
    """Serve a run; yield the address that it prints."""
    command = [*COMMAND, "serve", str(path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            lines = iter(server.stderr.readline, "")
            yield next(found[0] for found in map(functools.partial(re.search, r"http://\S+"), lines) if found)
        finally:
            server.terminate()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and does not tell of it."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """Serve a folder as any static server does."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def take(page: Page, address: str, name: str, ready: Ready, folder: Path) -> None:
    """Open an address, let it come to what is to be seen, and picture it."""
    for width, scheme in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(address)
        ready(page)
        path = folder / f"{name}-{width}.png"
        page.screenshot(path=path, animations="disabled")
        print(f"{path}  {path.stat().st_size // 1000} KB", file=sys.stderr)


def main(run_folder: Path, text: str, output: Path, split: str) -> None:
    """Make what the pages are made of, open them, and write the pictures."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit("no browser: install chromium, or name one in $CHROMIUM")
    output.mkdir(parents=True, exist_ok=True)

    def translate(page: Page) -> None:
        page.locator("#source:enabled").fill(text)
        page.locator("#attention .attention-view").wait_for()
        page.locator(".waiting, .writing").first.wait_for(state="detached")
        point(page)

    def point(page: Page) -> None:
        page.locator(".av-line").nth(1).get_by_role("option").nth(2).hover()

    def turn(page: Page) -> None:  # behind the configuration, which has paths of this machine
        page.get_by_role("heading", name="Learning").evaluate("heading => heading.scrollIntoView()")

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        pages = Path(scratch)
        run("attend", run_folder, text, "--output", pages / "attention.html")
        run("report", run_folder, "--split", split, "--sentences", 20, "--output", pages / "report")
        run("export", run_folder, "--format", "web", "--int8", "--output", pages / "web")
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        take(page, (pages / "attention.html").as_uri(), "page-attention", point, output)
        take(page, (pages / "report" / "report.html").as_uri(), "page-report", turn, output)
        with served_run(run_folder) as address:
            take(page, address, "page-serve", translate, output)
        with served_folder(pages / "web") as address:
            take(page, address, "page-web", translate, output)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("text", help="a sentence in the source language")
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="a folder [default: docs/images]")
    parser.add_argument("--split", default="validation", help="what the report scores [default: validation]")
    arguments = parser.parse_args()
    main(arguments.run, arguments.text, arguments.output, arguments.split)
