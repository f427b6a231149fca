"""``docs/search.md`` speaks of every way to decode there is, and shows code and options that are really there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from seq2seq_attn.cli import app
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.decoding.scoring import NORMALIZATIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "search.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
EXCERPTS = re.findall(r"^Source: \[`([^`]+)`\]\(([^)]+)\)\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ELSEWHERE = {"replace_unknown", "lexicon", "batch_sentences"}  # not about what is searched for


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line):
    program, verb, *words = shlex.split(line)
    assert program == "seq2seq-attn"
    command = typer.main.get_command(app).commands[verb]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_options_in_the_text_are_those_of_the_verbs():
    commands = typer.main.get_command(app).commands
    known = {
        option for verb in ("translate", "score", "evaluate") for each in commands[verb].params for option in each.opts
    }
    named = set(re.findall(r"(?<![\w|-])--[a-z][a-z-]+", PAGE))
    assert len(named) > 15
    assert named <= known


@pytest.mark.parametrize("key", sorted(set(DecodingConfig.model_fields) - ELSEWHERE))
def test_every_key_is_spoken_of(key):
    assert re.search(rf"\b{key}\b|--{key.replace('_', '-')}\b", PAGE)


def test_every_normalization_has_its_equation():
    for name in NORMALIZATIONS:
        assert re.search(rf"^\| `{name}`.*\$", PAGE, re.MULTILINE), name


@pytest.mark.parametrize(("shown", "link", "excerpt"), EXCERPTS, ids=[excerpt[0] for excerpt in EXCERPTS])
def test_code_is_in_the_file_it_is_said_to_be_from(shown, link, excerpt):
    path = (DOCS / link).resolve()
    assert path.as_posix().endswith(f"seq2seq_attn/{shown}")
    there = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for line in excerpt.splitlines():
        assert line.strip() in (*there, "# ..."), line


def test_links_inside_the_page_lead_somewhere():
    headings = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", PAGE, re.M)}
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert len(links) > 5
    assert set(links) <= headings
