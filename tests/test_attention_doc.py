"""``docs/attention.md`` speaks of every mechanism and part there is, and shows code that is really there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seq2seq_attn.attention import attention_names, find_attention
from seq2seq_attn.attention.history import COVERAGES
from seq2seq_attn.attention.monotonic import MONOTONIC
from seq2seq_attn.attention.normalizers import NORMALIZERS
from seq2seq_attn.attention.windows import WINDOWS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "attention.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")

OURS = [name for name in attention_names() if find_attention(name).cls.__module__.startswith("seq2seq_attn.")]
PARTS = [
    f"{key}: {name}"
    for key, table in (
        ("normalize", NORMALIZERS),
        ("window", WINDOWS),
        ("monotonic", MONOTONIC),
        ("coverage", COVERAGES),
    )
    for name in table
]
EXCERPTS = re.findall(r"^Source: \[`([^`]+)`\]\(([^)]+)\)\n\n```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    found = re.search(rf"^### `{re.escape(heading)}`\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/attention.md has no section ### `{heading}`"
    return found.group(1)


@pytest.mark.parametrize("name", OURS)
def test_every_mechanism_has_its_paper_equation_code_and_use(name):
    text = section(name)
    authors, year = re.match(r"(\w+).*?(\d{4})", find_attention(name).paper).groups()
    for wanted in (authors, year, "$$", "```python", "**Use it**", "**Departs from the paper**"):
        assert wanted in text


def test_mechanisms_stand_in_the_order_of_the_table():
    headings = re.findall(r"^### `([\w.-]+)`$", TEXT, re.MULTILINE)
    assert [name for name in headings if name in OURS] == OURS


@pytest.mark.parametrize("part", [*PARTS, "location_sensitive: true"])
def test_every_part_has_a_section(part):
    text = section(part)
    assert "$$" in text or "See [" in text


@pytest.mark.parametrize("key", ["temperature", "window_size", "chunk_size"])
def test_every_size_of_a_part_is_spoken_of(key):
    assert f"`{key}`" in TEXT


def test_all_code_says_where_it_is_from():
    assert len(EXCERPTS) == TEXT.count("```python") > 10


@pytest.mark.parametrize(("label", "link", "code"), EXCERPTS)
def test_code_is_in_the_file_that_it_says(label, link, code):
    """Lines in a row, indented as deep as the file has them; a comment of three dots stands for what was left out."""
    path = (DOCUMENT.parent / link).resolve()
    assert path.relative_to(ROOT / "src" / "seq2seq_attn").as_posix() == label
    lines = path.read_text(encoding="utf-8").splitlines()
    place = 0
    for chunk in re.split(r"^# \.\.\.\n", code, flags=re.MULTILINE):
        wanted = chunk.rstrip("\n").split("\n")
        place = next((at for at in range(place, len(lines)) if stands_at(lines, at, wanted)), -1)
        assert place >= 0, f"{label} does not hold\n{chunk}"


def stands_at(lines: list[str], at: int, wanted: list[str]) -> bool:
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    return lines[at : at + len(wanted)] == [f"{indent}{line}" if line else "" for line in wanted]


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCUMENT.parent / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in headings


def test_there_is_a_place_for_what_is_measured():
    assert TEXT.count("<!-- measured -->") == TEXT.count("<!-- end of measured -->") == 1
