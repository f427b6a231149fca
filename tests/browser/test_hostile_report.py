"""The report of a run whose name and texts attack its reader: all of it stays text, at any width."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from browsing import WIDTHS, sideways
from command_server import shared_commands
from playwright.sync_api import Page, expect
from tiny import copy_run, trained_run

pytest.importorskip("matplotlib")

HOSTILE = (
    "one <script>document.title = 'broken'</script> two",
    "three <img src=x onerror=\"document.title='broken'\"> four",
    "</td></table></section><h1>five</h1> & six",
    "seven \u202eeight <a href='https://example.org/'>nine</a>",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a run and a test set that attack its reader."""
    folder = tmp_path_factory.mktemp("reported")
    run = copy_run(trained_run(), folder / "run")
    tree = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    files = tree["data"]["test"]["test"]
    for side in ("source", "target"):
        lines = Path(files[side]).read_text(encoding="utf-8").splitlines()
        path = folder / f"hostile.{side}"
        path.write_text("\n".join((*HOSTILE, *lines[len(HOSTILE) :])) + "\n", encoding="utf-8")
        files[side] = str(path)
    tree["name"] = "<img src=x onerror=\"document.title='broken'\">"
    (run / "config.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    done = shared_commands()("report", run, "--output", folder / "report", "--sentences", "5")
    assert done.status == 0, done.err
    return folder / "report" / "report.html"


@pytest.fixture
def opened(page: Page, report: Path) -> Page:
    page.goto(report.as_uri())
    return page


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def test_text_of_users_stays_text(opened: Page) -> None:
    assert opened.title() != "broken"
    assert "<img src=x" in opened.title()
    assert opened.locator("img[src=x], a[href*=example], h1:text-is('five')").count() == 0
    unfold(opened)
    shown = opened.locator("body").inner_text()
    for piece in ("<script>document.title", "<img src=x", "</td></table>", "<a href="):
        assert piece in shown
    assert "\u202e" not in shown  # would turn round what follows it


def test_links_lead_to_their_sections(opened: Page) -> None:
    links = opened.locator("a[href^='#']")
    assert links.count() > 0
    for target in links.evaluate_all("all => all.map((link) => link.getAttribute('href').slice(1))"):
        expect(opened.locator(f"[id='{target}']")).to_have_count(1)


def test_it_fits_its_window(opened: Page, watch) -> None:
    unfold(opened)
    for width in WIDTHS:
        opened.set_viewport_size({"width": width, "height": 844})
        assert sideways(opened) == []
    assert [url for url in watch.requests if url.startswith("http")] == []
