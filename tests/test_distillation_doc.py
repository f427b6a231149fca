"""``docs/distillation.md`` shows options and files that are so."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from seq2seq_attn.cli import app
from seq2seq_attn.config import load_config
from seq2seq_attn.distillation.plan import RECORD, make_plan
from seq2seq_attn.distillation.text import PART_LINES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]


def options_of(verb: str) -> set[str]:
    command = typer.main.get_command(app).commands[verb]
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_have_the_options_that_are_shown(words: list[str]) -> None:
    program, verb, *rest = words
    assert program == "seq2seq-attn"
    assert {word for word in rest if word.startswith("--")} <= options_of(verb)


@pytest.mark.parametrize("words", [words for words in COMMANDS if "configs/" in " ".join(words)], ids=" ".join)
def test_configurations_that_are_shown_are_there(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = next(word for word in words if word.startswith("configs/"))
    teacher = [value for option, value in pairwise(words) if option == "--teacher"]
    plan = make_plan(config, [], teacher, forward=2, backward=2, output=None)
    assert plan.config == load_config(config)
    assert plan.folder == Path("runs") / Path(config).stem


def test_the_table_has_every_option() -> None:
    shown = set(re.findall(r"^\| `(--[a-z]+)", PAGE, re.MULTILINE))
    assert shown == options_of("distill") - {"--help"}


def test_files_and_numbers_are_so() -> None:
    assert RECORD in PAGE
    assert f"{PART_LINES:,} sentences" in PAGE
