"""The attention view in a browser: what is drawn are the numbers of the document, and keys reach all of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from attention_documents import NASTY, document, panel, token
from browsing import sideways, watched_page

from seq2seq_attn.visualization.attention_page import attention_page

expect = pytest.importorskip("playwright.sync_api").expect

LONG = " ".join(f"word{number}" for number in range(60))
HEADING = ".av-panel > .av-readout .av-heading"
SUBJECT = f"{HEADING} .av-subject"
VIEWS = {"Arcs": ".av-arcs", "Heat map": ".av-map", "Beam": ".av-beam"}


@pytest.fixture
def draw(page, show):
    """Open the page of a document."""

    def opened(*panels, **more):
        show(attention_page(document(*panels, **more)))
        return page

    return opened


def line(page, number):
    """A line of words: 0 looked at, 1 looking; two for each panel."""
    return page.locator(".av-line").nth(number)


def word(page, number, text):
    return line(page, number).get_by_role("option", name=text, exact=True)


def choose(page, view):
    page.get_by_role("radio", name=view).check()
    expect(page.locator(VIEWS[view]).first).to_be_visible()


def lit(page):
    """Stroke widths of the curves that stand out, in the order they were drawn."""
    return page.locator(".av-curves path.av-on").evaluate_all(
        "all => all.map(one => +one.getAttribute('stroke-width'))"
    )


def shares(page, number):
    """How much each word of a line is shaded."""
    script = "all => all.map(one => +getComputedStyle(one).getPropertyValue('--av-weight'))"
    return line(page, number).locator(".av-unit").evaluate_all(script)


def test_pointing_at_a_target_word_shows_where_it_looked(draw) -> None:
    one = panel()
    page = draw(one)
    row = [token["surface"].strip() for token in one["tokens"]].index("Kirche")
    weights = one["maps"][0]["weights"][row]
    word(page, 1, "Kirche").hover()
    assert shares(page, 0) == weights
    drawn = [weight for weight in weights if weight >= 0.015]
    assert lit(page) == pytest.approx([0.8 + 8 * weight for weight in drawn], abs=0.006)
    strongest = one["source_tokens"][int(np.argmax(weights))]["surface"].strip()
    expect(page.locator(".av-readout .av-list").first.locator("li").first).to_contain_text(strongest)
    word(page, 0, "church").hover()
    column = [weights[7] for weights in one["maps"][0]["weights"]]
    assert shares(page, 1) == column
    assert len(lit(page)) == sum(weight >= 0.015 for weight in column)
    page.mouse.move(0, 0)
    expect(page.locator(".av-curves path.av-on")).to_have_count(0)


def test_curves_end_at_their_words_however_the_lines_wrap(draw) -> None:
    page = draw(panel(LONG, LONG))
    page.set_viewport_size({"width": 390, "height": 844})
    word(page, 1, "word7").hover()
    page.wait_for_function("""() => {
      const box = document.querySelector(".av-arcs").getBoundingClientRect();
      const path = document.querySelector(".av-curves path.av-on");
      const end = path.getPointAtLength(path.getTotalLength());
      const place = document.querySelectorAll(".av-line")[1].querySelectorAll(".av-unit")[7].getBoundingClientRect();
      return Math.abs(box.left + end.x - place.left - place.width / 2) < 1 && Math.abs(box.top + end.y - place.top) < 1;
    }""")
    assert sideways(page) == []


def test_views_are_switched_and_remembered(draw) -> None:
    page = draw(panel())
    expect(page.locator(".av-map")).to_be_hidden()
    page.get_by_role("radio", name="Arcs").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-map")).to_be_visible()
    expect(page.locator(".av-arcs")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("radio", name="Heat map")).to_be_checked()
    expect(page.locator(".av-map")).to_be_visible()


def test_heat_map_draws_the_weights(draw) -> None:
    one = panel()
    page = draw(one)
    choose(page, "Heat map")
    rows = page.locator(".av-cells g").evaluate_all(
        "all => all.map(row => [...row.querySelectorAll('rect')].map(cell => +cell.getAttribute('fill-opacity')))"
    )
    assert rows == [[weight for weight in row if weight >= 0.0005] for row in one["maps"][0]["weights"]]
    numbers = page.locator(".av-cells g text").all_text_contents()
    assert numbers == [f"{weight:.2f}" for weight in itertools.chain(*one["maps"][0]["weights"]) if weight >= 0.005]
    page.locator(".av-heat").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(HEADING)).to_contain_text(f"weight on live {one['maps'][0]['weights'][1][3]:.4f}")


def test_a_finger_reaches_what_a_pointer_does(browser, tmp_path) -> None:
    one = panel()
    (tmp_path / "page.html").write_text(attention_page(document(one)), encoding="utf-8")
    with watched_page(browser, has_touch=True) as (page, watch):
        page.goto((tmp_path / "page.html").as_uri())
        word(page, 0, "church").tap()
        expect(word(page, 0, "church")).to_have_attribute("aria-selected", "true")
        word(page, 1, "Kirche").tap()
        expect(page.locator(SUBJECT)).to_have_text("Kirche")
        choose(page, "Heat map")
        box = page.locator(".av-cells").bounding_box()
        side = box["width"] / len(one["source_tokens"])
        page.touchscreen.tap(box["x"] + 3.5 * side, box["y"] + 1.5 * side)
        expect(page.locator(HEADING)).to_contain_text(f"weight on live {one['maps'][0]['weights'][1][3]:.4f}")
        watch.check()


def test_a_large_document_is_unpacked(draw) -> None:
    one = panel(LONG, LONG, layers=2, heads=4, beam=False)
    html = attention_page(document(one))
    assert 'type="application/gzip"' in html
    assert len(html.encode()) < 500_000, "3 MB as they are"
    page = draw(one)
    word(page, 1, "word7").hover()
    assert shares(page, 0) == one["maps"][0]["weights"][7]


def test_sixty_words_can_be_read_in_the_heat_map(draw) -> None:
    page = draw(panel(LONG, LONG))
    choose(page, "Heat map")
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) == []
    script = "all => Math.min(...all.map(one => parseFloat(getComputedStyle(one).fontSize)))"
    assert page.locator(".av-left text, .av-top text").evaluate_all(script) >= 12
    heights = page.locator(".av-left text").evaluate_all("all => all.map(one => one.getBoundingClientRect().y)")
    assert min(np.diff(heights)) >= 16, "labels lie on one another"
    page.locator(".av-heat").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert page.locator(".av-heat").evaluate("box => box.scrollLeft") > 0
    assert page.evaluate("scrollX") == 0


def test_decoding_step_by_step(draw) -> None:
    one = panel()
    page = draw(one)
    count = len(one["tokens"])
    unwritten = page.locator(".av-line").nth(1).locator(".av-unwritten")
    page.get_by_role("button", name="one word on").click()
    expect(unwritten).to_have_count(count - 1)
    page.keyboard.press("ArrowRight")
    expect(unwritten).to_have_count(count - 2)
    expect(page.locator(SUBJECT)).to_have_text("Mädch")
    bars = page.locator(".av-list", has_text="Considered").locator("li")
    told = [f"{found['token']['surface'].strip()}" for found in one["alternatives"][1]]
    assert [bar.locator(".av-name").inner_text() for bar in bars.all()] == told
    chance = np.exp(one["log_probs"][1])
    expect(page.locator(HEADING)).to_contain_text(f"{chance * 100:.0f} %")
    expect(page.locator(HEADING)).to_contain_text(f"{one['log_probs'][1]:.2f}".replace("-", "−"))
    page.keyboard.press("End")
    expect(unwritten).to_have_count(0)
    expect(page.locator(SUBJECT)).to_have_text("</s>")
    page.keyboard.press("Home")
    expect(unwritten).to_have_count(count - 1)
    page.keyboard.press("Escape")
    expect(unwritten).to_have_count(0)
    expect(page.locator(".av-where")).to_have_text(f"all {count}")


def test_a_step_stays_within_the_words_there_are(draw) -> None:
    """Standing for: "19 of 13" behind a change to a shorter sentence."""
    one = panel(layers=2, heads=3)
    page = draw(one)
    word(page, 1, "Die").focus()
    page.keyboard.press("Enter")
    for _ in range(18):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".av-where")).to_have_text("19 of 19")
    page.get_by_label("Attention", exact=True).select_option("encoder")
    count = len(one["source_tokens"])
    assert count < 19
    expect(page.locator(".av-where")).to_have_text(f"{count} of {count}")


def test_a_heat_map_that_was_hidden_is_of_what_is_shown_now(draw) -> None:
    page = draw(panel())
    choose(page, "Heat map")
    cells = page.locator(".av-cells g")
    before = cells.count()
    choose(page, "Arcs")
    page.get_by_label("whole words").check()
    count = line(page, 1).locator(".av-unit").count()
    assert count < before
    choose(page, "Heat map")
    expect(cells).to_have_count(count)
    page.get_by_role("application").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-spoken").first).to_contain_text(", weight on ")


def test_words_are_walked_through_by_key(draw) -> None:
    page = draw(panel())
    word(page, 1, "Die").focus()
    page.keyboard.press("ArrowRight")
    expect(word(page, 1, "Mädch")).to_be_focused()
    expect(word(page, 1, "Mädch")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".av-spoken").first).to_contain_text("Mädch looks at")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-where")).to_have_text("3 of 19")
    outline = word(page, 1, "en").first.evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "solid"


def test_subwords_are_merged(draw) -> None:
    one = panel()
    page = draw(one)
    page.get_by_label("whole words").check()
    words = line(page, 1).locator(".av-unit").all_text_contents()
    assert "glücklich" in words
    assert "Mädchen" in words
    word(page, 1, "Mädchen").hover()
    expected = np.mean(one["maps"][0]["weights"][1:3], axis=0)
    assert shares(page, 0) == pytest.approx(expected, abs=1e-4)


def test_panels_are_linked_by_the_source_word(draw) -> None:
    page = draw(panel(name="first"), panel(target="Die Frauen sind froh .", name="second", seed=2))
    assert [page.get_by_role("heading", name=name).count() for name in ("first", "second")] == [1, 1]
    word(page, 0, "church").hover()
    expect(word(page, 2, "church")).to_have_attribute("aria-selected", "true")
    word(page, 3, "Frauen").hover()
    assert max(shares(page, 2)) > 0
    expect(line(page, 1).locator("[aria-selected=true]")).to_have_count(0)
    boxes = [page.locator(".av-panel").nth(number).bounding_box() for number in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    page.set_viewport_size({"width": 390, "height": 844})
    boxes = [page.locator(".av-panel").nth(number).bounding_box() for number in (0, 1)]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert sideways(page) == []


def test_every_layer_and_head(draw) -> None:
    one = panel(layers=2, heads=3)
    page = draw(one)
    maps = {(found["part"], found["layer"], found["head"]): found["weights"] for found in one["maps"]}
    assert page.get_by_label("Layer", exact=True).input_value() == "2"
    word(page, 1, "Kirche").hover()
    assert shares(page, 0) == maps["cross", 2, 0][9]
    page.get_by_label("Head", exact=True).select_option("3")
    word(page, 1, "Kirche").hover()
    assert shares(page, 0) == maps["cross", 2, 3][9]
    page.get_by_text("All 6 heads").click()
    page.get_by_role("button", name="layer 1, head 2").click()
    word(page, 1, "Kirche").hover()
    assert shares(page, 0) == maps["cross", 1, 2][9]
    page.get_by_label("Attention", exact=True).select_option("encoder")
    page.get_by_label("Head", exact=True).select_option("mean")
    expect(line(page, 1).locator(".av-unit")).to_have_count(len(one["source_tokens"]))
    word(page, 1, "old").hover()
    mean = np.mean([maps["encoder", 1, head][6] for head in (1, 2, 3)], axis=0)
    assert shares(page, 0) == pytest.approx(mean, abs=1e-4)
    page.get_by_label("Attention", exact=True).select_option("decoder")
    assert line(page, 0).locator(".av-unit").first.inner_text() == "<s>"


@pytest.mark.parametrize("part", ["cross", "encoder", "decoder"])
@pytest.mark.parametrize("view", ["Arcs", "Heat map"])
def test_a_second_click_lets_go_of_a_step(draw, part: str, view: str) -> None:
    page = draw(panel(layers=1, heads=1))
    page.get_by_label("Attention", exact=True).select_option(part)
    choose(page, view)
    row = page.locator(".av-left text").nth(2) if view == "Heat map" else line(page, 1).locator(".av-unit").nth(2)
    row.click()
    expect(page.locator(".av-where")).to_contain_text("3 of")
    row.click()
    expect(page.locator(".av-where")).not_to_contain_text("3 of")


def test_the_beam(draw) -> None:
    one = panel()
    page = draw(one)
    choose(page, "Beam")
    nodes = one["beam"]["nodes"]
    expect(page.get_by_role("treeitem")).to_have_count(len(nodes))
    lost = next(node for node in nodes if node["fate"] == "pruned")
    page.locator(f'[data-id="{lost["id"]}"]').hover()
    facts = page.locator(".av-beam .av-readout")
    expect(facts).to_contain_text("pruned: 5 hypotheses were better")
    expect(facts).to_contain_text(f"{lost['score']:.3f}".replace("-", "−"))
    page.locator('[data-id="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(page.locator('[data-id="0"]')).to_be_focused()
    page.keyboard.press("End")
    expect(facts).to_contain_text(one["text"])
    expect(facts).to_contain_text("returned")
    best = len(one["tokens"]) + 1
    expect(page.locator(".av-node.av-best")).to_have_count(best)
    page.get_by_label("pruned hypotheses").uncheck()
    kept = sum(node["fate"] != "pruned" for node in nodes)
    expect(page.get_by_role("treeitem")).to_have_count(kept)


@pytest.mark.parametrize("view", VIEWS)
def test_text_stays_text(draw, view) -> None:
    hostile = {**panel(" ".join(NASTY), " ".join(NASTY), name=NASTY[0], languages=(NASTY[3], NASTY[3]))}
    hostile["alternatives"] = [[{"token": token(text), "log_prob": -1.0} for text in NASTY] for _ in hostile["tokens"]]
    page = draw(hostile, hostile, title=NASTY[0])
    choose(page, view)
    page.get_by_role("button", name="one word on").click()
    assert page.title() == NASTY[0]
    assert page.locator("#attention script, #attention img").count() == 0
    if view == "Arcs":
        assert word(page, 1, NASTY[2].split(" ")[0]).count() == 1
        assert "\\u{202e}" in line(page, 1).inner_text()


def test_any_script(draw) -> None:
    page = draw(
        panel("ذهبت ال+ بنات إلى ال+ مدرسة .", "The girls went to school .", languages=("ar", "en")),
        panel("这+ 只+ 小+ 猫 。", "I ❤️ 👩‍👩‍👧 🏴󠁧󠁢󠁳󠁣󠁴󠁿 .", languages=("zh", "en")),
    )
    assert [line(page, number).get_attribute("dir") for number in range(4)] == ["rtl", "ltr", "ltr", "ltr"]
    places = line(page, 0).locator(".av-unit").evaluate_all("all => all.map(one => one.getBoundingClientRect().x)")
    assert places == sorted(places, reverse=True)
    assert line(page, 0).get_by_role("option", name="ال\u200d").count() == 2, "letters join across two boxes"
    line(page, 0).locator(".av-unit").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(line(page, 0).locator(".av-unit").nth(1)).to_be_focused()
    page.get_by_label("whole words").check()
    assert line(page, 0).locator(".av-unit").nth(1).inner_text() == "البنات"
    assert line(page, 2).locator(".av-unit").count() == 6, "words without spaces stay apart"
    assert "🏴󠁧󠁢󠁳󠁣󠁴󠁿" in line(page, 3).inner_text()


def test_paper_shows_both_views(draw) -> None:
    page = draw(panel())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for view in (".av-arcs", ".av-map"):
        expect(page.locator(view)).to_be_visible()
    expect(page.locator(".av-toolbar")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".av-map")).to_be_hidden()


def test_without_attention_alternatives_or_beam(draw) -> None:
    page = draw({**panel(beam=False), "maps": [], "alternatives": None})
    assert page.get_by_role("radio").count() == 2
    expect(page.locator(".av-hint").first).to_contain_text("no attention")
    page.get_by_role("button", name="one word on").click()
    expect(page.locator(SUBJECT)).to_have_text("Die")


def test_a_document_that_does_not_fit_is_refused_in_words(draw) -> None:
    page = draw({**panel(), "tokens": []})
    expect(page.locator("#attention")).to_contain_text(
        "the weights of cross attention are 19 x 13, but there are 0 x 13"
    )


def test_pictures(draw, picture) -> None:
    draw(panel(name="first"), panel(LONG, LONG, name="second", layers=2, heads=3))
    picture("attention", whole=True)
