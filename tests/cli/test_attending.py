"""``attend``: the page and the document, of every search's translation or a given one, of one run or several."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_server import Commands
from html_checks import Page
from transformer_building import trained_transformer

from seq2seq_attn import Translator


def document(commands: Commands, run: Path, output: Path, *options: object) -> dict[str, Any]:
    """What is written about ``one two``; the page has it in it."""
    done = commands("attend", run, "one two", "--output", output, *options)
    assert (done.status, done.err) == (0, "")
    found = output.read_text(encoding="utf-8")
    if output.suffix == ".html":
        Page(found)
        (found,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', found, flags=re.DOTALL)
    written: dict[str, Any] = json.loads(found)
    lines = [] if "--target" in options else [panel["text"] for panel in written["panels"]]
    assert done.out.splitlines() == lines
    return written


def test_page_and_document_have_the_same_in_them(commands: Commands, trained: Path, tmp_path: Path) -> None:
    page = document(commands, trained, tmp_path / "a.html")
    assert page == document(commands, trained, tmp_path / "a.json")
    (found,) = Translator.load(trained, device="cpu").translate(["one two"])
    (panel,) = page["panels"]
    assert (page["title"], panel["text"], panel["name"]) == ("one two", "dois um", "tiny (luong-general)")
    assert (panel["source_language"], panel["target_language"]) == ("en", "pt")
    np.testing.assert_allclose(panel["maps"][0]["weights"], found.attention, atol=5.1e-5)
    assert panel["score"] == pytest.approx(found.score, abs=1e-5)
    best = next(node for node in panel["beam"]["nodes"] if node["id"] == panel["beam"]["returned"][0])
    assert best["score"] == pytest.approx(found.score, abs=1e-4)
    for place, log_prob in zip(panel["alternatives"], panel["log_probs"], strict=True):
        assert place[0]["log_prob"] == pytest.approx(log_prob, abs=1e-4), "a sure model writes the best"


def test_runs_side_by_side(commands: Commands, trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-00000060"
    transformer = trained_transformer()
    written = document(
        commands, trained, tmp_path / "a.html", "--compare", checkpoint, "--compare", transformer, "--no-beam"
    )
    names = [panel["name"] for panel in written["panels"]]
    assert names[0] == "tiny (luong-general)"
    assert names[1] == "tiny step-00000060 (luong-general)"
    assert names[2].endswith("(multi-head, heads 4)")
    assert len(written["panels"][2]["maps"]) > 20
    assert [panel["beam"] for panel in written["panels"]] == [None] * 3
    assert (tmp_path / "a.html").stat().st_size < 300_000
    twice = document(commands, trained, tmp_path / "b.json", "--compare", f"{trained}/", "--beam-size", "1")
    assert len({panel["name"] for panel in twice["panels"]}) == 2


def test_translations_of_other_searches_and_given_ones(commands: Commands, trained: Path, tmp_path: Path) -> None:
    translator = Translator.load(trained, device="cpu")
    output = tmp_path / "a.json"
    (second,) = document(commands, trained, output, "--n-best", 2)["panels"]
    assert second["text"] == translator.n_best(["one two"], count=2)[0][1].text
    assert len(second["beam"]["returned"]) == 2
    (drawn,) = document(commands, trained, output, "--sample", "--seed", 4, "--temperature", 3)["panels"]
    assert drawn["beam"] is None
    (begun,) = document(commands, trained, output, "--prefix", "sete")["panels"]
    assert begun["text"].startswith("sete")
    (given,) = document(commands, trained, output, "--target", "sete oito")["panels"]
    assert (given["text"], given["forced"], given["beam"]) == ("sete oito", True, None)
    (scored,) = translator.score(["one two"], ["sete oito"])
    assert given["log_prob"] == pytest.approx(scored.log_prob, abs=1e-5)


WRONG = [
    (["--output", "a.html", "--part", "cross"], "--part chooses what a picture shows; a page has every map"),
    (["--output", "a.json", "--layer", "1", "--head", "1"], "--layer, --head chooses what a picture shows"),
    (["--output", "a.png", "--compare", "RUN"], "--compare is for a page; name an .html or .json file with --output"),
    (["--output", "a.html", "--target", "um", "--beam-size", "2"], "--beam-size is for translations that are searched"),
    (["--output", "a.html", "--target", "um", "--n-best", "2"], "--n-best is for translations that are searched"),
    (["--output", "a.html", "--n-best", "0"], "--n-best is 0, but it must be at least 1"),
    (["--output", "a.html", "--n-best", "3", "--beam-size", "2"], "n_best is 3"),
    (["--output", "a.html", "--n-best", "99", "--max-length", "1"], "translations only"),
    (["--output", "a.html", "--compare", "nowhere"], "nowhere: no such run folder"),
    (["--output", "a"], "a has no suffix; attention is written as .png, .svg, .html or .json"),
    (["--output", "a.html", "--target", " "], "the target is empty"),
]


@pytest.mark.parametrize(
    ("options", "words"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_cannot_be_shown(
    commands: Commands, trained: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    given = [str(trained) if option == "RUN" else option for option in options]
    done = commands("attend", trained, "one", *given, folder=str(tmp_path))
    assert (done.status, done.out) == (2, "")
    assert words in done.err
    assert len(done.err.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []
