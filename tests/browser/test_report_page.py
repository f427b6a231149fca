"""The page about a run in a browser: it is read, opened by keyboard, hovered over, and asks for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import trained_run

from seq2seq_attn.experiment.run_report import ReportOptions, report_whole_run

pytest.importorskip("matplotlib")

_CROSSING = """() => [...document.querySelectorAll("svg.curves")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  const boxes = [...plot.querySelectorAll("text")].map((text) => ({
    text: text.textContent, box: text.getBoundingClientRect()
  }));
  const meet = (one, other) => one.left < other.right && other.left < one.right
    && one.top + 2 < other.bottom && other.top + 2 < one.bottom;
  const out = boxes.filter(({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1);
  const over = boxes.filter((one, i) => boxes.slice(i + 1).some((other) => meet(one.box, other.box)));
  return [...out, ...over].map(({ text }) => text);
})"""  # texts of plots that leave their picture, or lie on another


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ReportOptions(sentences=5, resamples=11, device="cpu")
    return report_whole_run(trained_run(), tmp_path_factory.mktemp("report"), options)


def test_the_page_is_read_at_any_width(page, picture, report):
    page.goto(report.as_uri())
    assert page.title() == "tiny"
    assert page.locator("h2").all_text_contents()[:3] == ["Configuration", "Learning", "Attention over training"]
    picture("report", whole=True)


def test_a_sample_is_hovered_over_and_the_others_open_by_keyboard(page, report):
    page.goto(report.as_uri())
    views = page.locator(".view .attention-view")
    views.first.wait_for()
    assert views.count() == 1, "the others are drawn when they are opened"
    assert not page.locator(".view .still").first.is_visible()
    page.locator("details:has(.view) > summary").nth(1).focus()
    page.keyboard.press("Enter")
    views.nth(1).wait_for()
    assert page.locator("details:has(.view)").nth(1).get_attribute("open") is not None


def test_without_scripts_there_is_a_still_drawing(browser, report):
    from browsing import watched_page

    with watched_page(browser, java_script_enabled=False) as (page, watch):
        page.goto(report.as_uri())
        assert page.locator(".view .still svg.matrix").first.is_visible()
        assert page.locator(".attention-view").count() == 0
        watch.check()


def test_plots_stay_inside_and_their_labels_apart(page, report):
    """Boxes as the browser has measured them."""
    page.goto(report.as_uri())
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        crossing = page.evaluate(_CROSSING)
        assert crossing == []
