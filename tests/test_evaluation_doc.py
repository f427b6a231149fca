"""What docs/evaluation.md shows exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from seq2seq_attn.cli import app
from seq2seq_attn.evaluation.metrics import METRICS, TOKENIZATIONS

PAGE = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line: str) -> None:
    program, verb, *words = shlex.split(line)
    assert program == "seq2seq-attn"
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_options_in_the_text_are_those_of_the_verbs() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {option for verb in ("evaluate", "compare", "train") for p in commands[verb].params for option in p.opts}
    named = set(re.findall(r"(?<![\w|-])--[a-z][a-z-]+", PAGE))
    assert len(named) > 10
    assert named <= known


def test_every_metric_and_tokenization_is_explained() -> None:
    for name in (*METRICS, *TOKENIZATIONS):
        assert f"`{name}`" in PAGE, name


def test_every_page_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (Path(__file__).parents[1] / "docs" / target).is_file(), target
