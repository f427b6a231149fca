"""The page of ``serve`` in a browser: type, see the translation while it is written, and look into it."""

from __future__ import annotations

import re
import threading

import pytest
from browsing import watched_page
from serving_cases import PATIENCE, RecordedTranslator, running
from tiny import trained_run

from seq2seq_attn import Translator

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=PATIENCE * 1000)

SOURCE, WRITING = "#source", ".sentence.writing"
TEXT = "one two three\nfour five"


class Pausing:
    """A model that stops before one of its steps until it is told to go on."""

    def __init__(self, model, step):
        self.model = model
        self.left = step
        self.go_on = threading.Event()

    def start(self, source, lengths):
        return self.model.start(source, lengths)

    def step(self, tokens, state):
        self.left -= 1
        assert self.left != 0 or self.go_on.wait(PATIENCE)
        return self.model.step(tokens, state)

    def release(self):
        self.go_on.set()


@pytest.fixture(scope="module")
def translator():
    return Translator.load(trained_run(), device="cpu")


@pytest.fixture(scope="module")
def server(translator):
    with running(translator, translator, characters=5000, seconds=60) as found:
        yield found


@pytest.fixture
def open_page(page, server):
    page.goto(server.url)
    expect(page.locator("#model option")).to_have_count(2)
    return page


def translated(page, text, lines):
    """Type, and wait until all of it is translated."""
    page.fill(SOURCE, text)
    expect(page.locator("#output p")).to_have_text(lines)
    expect(page.locator(".waiting, .writing")).to_have_count(0)


def test_what_is_typed_is_translated_and_can_be_looked_into(open_page, translator, picture):
    page, (first, second) = open_page, translator.translate(TEXT.splitlines())
    translated(page, TEXT, [first.text, second.text])
    expect(page.locator("#source-language")).to_have_text("English")
    expect(page.locator("#target-language")).to_have_text("Portuguese")
    words = page.locator("#output p").nth(0).locator(".word")
    expect(words).to_have_text(first.text.split())
    looking = page.locator("#attention .av-line").nth(1)
    expect(looking).to_contain_text(first.text.split()[0])
    page.locator("#output p").nth(1).locator(".word").first.click()
    expect(looking).to_contain_text(second.text.split()[0])
    shown = page.locator("#alternatives li")
    (best, *_), *_ = translator.alternatives(second)
    expect(shown).to_have_count(8)
    expect(shown.first.locator(".token")).to_have_text(best.token.surface.strip())
    page.locator("#alternatives .close").click()
    expect(page.locator("#alternatives")).to_be_hidden()
    picture("serve", whole=True)


def test_words_appear_while_they_are_decoded(page, translator):
    recorded = RecordedTranslator(translator)
    pausing = recorded.recorder = Pausing(translator.stepper("auto"), 3)
    (whole,) = translator.translate(["one two three"], beam_size=1)
    with running(recorded) as server:
        page.goto(server.url)
        expect(page.locator("#model option")).to_have_count(1)
        page.fill("#beam-size", "1")
        page.fill(SOURCE, "one two three")
        expect(page.locator(WRITING)).to_have_text(" ".join(whole.text.split()[:2]))
        expect(page.locator("#attention .av-line").nth(1)).to_contain_text(whole.text.split()[0])
        expect(page.locator("#status")).to_have_text("translating")
        pausing.go_on.set()
        expect(page.locator("#output p")).to_have_text(whole.text)
        expect(page.locator(WRITING)).to_have_count(0)
        expect(page.locator("#status")).to_have_text("")


def test_several_translations_a_wider_beam_and_the_other_model(open_page, translator):
    page, found = open_page, translator.n_best(["one two three"], count=3, beam_size=6)[0]
    translated(page, "one two three", [translator.translate(["one two three"])[0].text])
    expect(page.locator("#choices")).to_be_hidden()
    page.select_option("#model", "second")
    page.fill("#beam-size", "6")
    page.fill("#n-best", "3")
    choices = page.locator("#choice-list li label > span:not(.score)")
    expect(choices).to_have_text([one.text for one in found])
    choices.nth(1).click()
    expect(page.locator("#output p")).to_have_text(found[1].text)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#output p")).to_have_text(found[2].text)
    choices.nth(0).click()
    page.check("#tree")
    expect(page.locator("#attention").get_by_text("Beam", exact=True)).to_be_visible()


def test_what_looks_like_markup_is_text(open_page):
    page = open_page
    hostile = '<img src=x onerror=alert(1)> <script>alert(2)</script>\n"><svg onload=alert(3)>'
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.fill(SOURCE, hostile)
    expect(page.locator("#output p .word").first).to_be_visible()
    expect(page.locator(".waiting, .writing")).to_have_count(0)
    expect(page.locator("#attention .av-line").first).to_contain_text("onerror")
    assert page.locator("main img, main script, main svg[onload]").count() == 0


def test_too_much_text_is_refused_in_words(open_page, watch):
    watch.expect_error("status of 413")
    open_page.fill(SOURCE, "one two " * 12_500)
    status = open_page.locator("#status")
    expect(status).to_have_text(re.compile(r"9 characters, but 5,000 are allowed: send 5,000"))
    expect(status).to_have_attribute("data-kind", "error")
    open_page.fill(SOURCE, "one")
    expect(status).to_have_text("")
    expect(open_page.locator("#output .word").first).to_be_visible()


def test_a_book_is_begun_and_given_up_for_another_text(open_page):
    open_page.fill(SOURCE, "One two three. " * 6667)
    expect(open_page.locator("#output .writing, #output .word").first).to_be_visible()
    open_page.fill(SOURCE, "three")
    expect(open_page.locator("#output")).to_have_text("três")


def test_pointing_at_a_word_and_another_view(open_page, translator):
    (found,) = translator.translate(["one two three"])
    translated(open_page, "one two three", [found.text])
    open_page.locator("#attention .av-line").nth(1).get_by_role("option", name=found.text.split()[1]).first.hover()
    expect(open_page.locator("#attention .av-curves path.av-on").first).to_be_visible()
    open_page.locator("#attention").get_by_role("radio", name="Heat map").check()
    expect(open_page.locator("#attention .av-map")).to_be_visible()
    expect(open_page.locator("#attention .av-arcs")).to_be_hidden()


def test_keys_alone_are_enough(open_page):
    page = open_page
    expect(page.locator(SOURCE)).to_be_focused()
    page.keyboard.type("one two")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#output .word").first).to_be_visible()
    page.locator("#copy").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#output .word").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#alternatives")).to_be_visible()


def test_a_token_is_asked_for_once(page, watch, translator):
    watch.expect_error("status of 401")
    with running(translator, token="let-me-in") as server:
        page.goto(server.url)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_have_text("this server needs a token")
        expect(dialog).to_be_visible()
        page.fill("#token", "let-me-in")
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("#model option")).to_have_count(1)
        page.fill(SOURCE, "one")
        expect(page.locator("#output .word").first).to_be_visible()
        page.reload()
        expect(page.locator("#model option")).to_have_count(1)
        expect(dialog).to_be_hidden()


def test_a_server_that_is_gone_is_said(page, watch, translator):
    watch.expect_error("ERR_CONNECTION_REFUSED")
    with running(translator) as server:
        page.goto(server.url)
        expect(page.locator("#model option")).to_have_count(1)
    page.fill(SOURCE, "one")
    expect(page.locator("#status")).to_have_text("the server does not answer: is it still running?")


def test_a_narrow_window_and_a_finger(browser, server):
    with watched_page(browser, viewport={"width": 390, "height": 844}, has_touch=True) as (page, watch):
        page.goto(server.url)
        expect(page.locator("#model option")).to_have_count(2)
        page.fill(SOURCE, "one two three four five " * 4)
        expect(page.locator("#output .word").first).to_be_visible()
        page.locator("#output .word").first.tap()
        expect(page.locator("#alternatives")).to_be_visible()
        watch.check()
