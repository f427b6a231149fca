"""The page that translates by itself, in a real browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_server import shared_commands
from playwright.sync_api import Page, expect
from tiny import trained_run

from seq2seq_attn.errors import UserError
from seq2seq_attn.export.web import find_runtime
from seq2seq_attn.translation import Translator

SENTENCE = "one two three four"

expect.set_options(timeout=60_000)  # compiling a runtime of 14 MB takes a busy machine a while


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_runtime()
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("web") / "page"
    done = shared_commands()("export", trained_run(), "--format", "web", "--output", folder)
    assert done.status == 0, done.err
    return folder


@pytest.fixture
def opened(page: Page, serve, exported: Path) -> Page:
    page.goto(serve(exported))
    expect(page.locator("#status")).to_have_text("Ready.")
    return page


def translated(page: Page) -> None:
    expect(page.locator("#status")).to_contain_text("Translated in")


def test_what_is_typed_is_translated_as_in_python(opened: Page, watch) -> None:
    with_python = Translator.load(trained_run(), device="cpu").translate([SENTENCE])[0]
    expect(opened.locator("#source")).to_be_focused()
    opened.keyboard.type(SENTENCE)
    opened.keyboard.press("Enter")
    translated(opened)
    tokens = opened.locator("#target button")
    assert "".join(tokens.all_text_contents()).removesuffix(" ⏎") == with_python.text
    assert len(with_python.text.split()) == 4
    assert opened.locator("#attention .attention-view").is_visible()
    assert watch.left == []
    # the model ran here: nothing has been asked for after the page was ready but what belongs to the folder
    assert {url.split("/")[3] for url in watch.requests if url.startswith("http")} <= {
        "",
        "app.css",
        "app.js",
        "worker.js",
        "ort-wasm-simd-threaded.wasm",
        "model",
    }


def test_it_translates_while_one_types_and_with_any_beam(opened: Page) -> None:
    opened.keyboard.type("seven eight")
    translated(opened)  # without Enter
    expect(opened.locator("#target")).to_contain_text("oito")
    opened.get_by_label("while I type").uncheck()
    opened.locator("#beam").fill("1")
    opened.locator("#source").fill("nine")
    opened.get_by_role("button", name="Translate").click()
    expect(opened.locator("#target")).to_contain_text("nove")


def test_alternatives_by_keyboard(opened: Page) -> None:
    opened.keyboard.type("one two\n")
    translated(opened)
    first = opened.locator("#target button").first
    first.focus()
    opened.keyboard.press("Enter")
    choices = opened.locator("#alternatives button")
    expect(choices).to_have_count(8)
    expect(choices.first).to_contain_text("%")
    opened.keyboard.press("Tab")
    while opened.evaluate("document.activeElement.parentElement.id") != "alternatives":
        opened.keyboard.press("Tab")
    opened.keyboard.press("Escape")
    expect(first).to_be_focused()
    expect(opened.locator("#alternatives")).to_be_hidden()
    first.click()
    other = choices.nth(1)
    word = (other.text_content() or "").split()[0]
    other.click()
    expect(first).to_have_text(word)
    expect(opened.locator("#target")).to_contain_text("⏎")  # and the rest follows


def test_who_takes_an_alternative_by_keyboard_goes_on_from_there(opened: Page) -> None:
    opened.keyboard.type("one two\n")
    translated(opened)
    parts = opened.locator("#target button")
    parts.nth(1).press("Enter")
    other = opened.locator("#alternatives button").nth(1)
    word = (other.text_content() or "").split()[0]
    other.press("Enter")
    expect(parts.nth(1)).to_have_text(f" {word}")
    expect(parts.nth(1)).to_be_focused()


def test_markup_is_text(opened: Page) -> None:
    text = "<img src=x onerror=alert(1)> one <script>alert(1)</script> two"
    opened.locator("#source").fill(text)
    translated(opened)
    assert opened.locator("main img, main script").count() == 0
    assert "<script>" in (opened.locator("#attention").text_content() or "")


def test_a_pasted_book_is_cut_and_the_page_stays_quick(opened: Page) -> None:
    opened.get_by_label("while I type").uncheck()
    opened.locator("#source").fill("one two three " * 7143)
    expect(opened.locator("#remark")).to_have_text("The text had 100,002 characters; it was cut after 2,000.")
    assert len(opened.locator("#source").input_value()) == 2000
    # another text is asked for in the very moment in which the page begins the first: no translation is quicker
    opened.evaluate(
        """() => {
            const [status, source] = ["status", "source"].map((id) => document.getElementById(id));
            const watcher = new MutationObserver(() => {
                if (status.textContent !== "Translating …") return;
                watcher.disconnect();
                source.value = "three";
                source.dispatchEvent(new Event("input", { bubbles: true }));
                source.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
            });
            watcher.observe(status, { childList: true, characterData: true, subtree: true });
        }"""
    )
    opened.get_by_role("button", name="Translate").click()
    translated(opened)
    assert opened.locator("#source").input_value() == "three"
    alone = Translator.load(trained_run(), device="cpu").translate(["three"])[0].text
    expect(opened.locator("#target")).to_have_text(re.compile(rf"^{re.escape(alone)}\s*⏎\s*$"))
    expect(opened.locator("#remark")).to_have_text("")


def test_a_damaged_model_is_named(page: Page, serve, exported: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(exported, tmp_path / "damaged")
    path = damaged / "model" / "step.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    page.goto(serve(damaged))
    expect(page.get_by_role("alert")).to_contain_text("step.onnx: its content does not match its checksum")
    assert page.locator("#source").is_disabled()


def test_a_model_that_is_not_there_is_named(page: Page, serve, exported: Path, tmp_path: Path) -> None:
    empty = shutil.copytree(exported, tmp_path / "empty")
    shutil.rmtree(empty / "model")
    page.goto(serve(empty))
    expect(page.get_by_role("alert")).to_contain_text("no exported model (manifest.json is missing)")


def test_a_browser_without_simd_is_told(page: Page, serve, exported: Path) -> None:
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto(serve(exported))
    expect(page.get_by_role("alert")).to_contain_text("This browser has no WebAssembly SIMD")


def test_opened_as_a_file_it_says_what_to_do(page: Page, exported: Path) -> None:
    page.goto((exported / "index.html").as_uri())
    expect(page.get_by_role("alert")).to_contain_text("python -m http.server")


def test_pictures(opened: Page, picture) -> None:
    opened.locator("#source").fill("one two three four five")
    translated(opened)
    opened.locator("#target button").nth(1).click()
    picture("web-export")
