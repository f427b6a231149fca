"""``docs/averaging.md`` shows options, code and numbers that are so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from seq2seq_attn.cli import app
from seq2seq_attn.config.schema import TrainingConfig

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "averaging.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line: str) -> None:
    program, verb, *words = shlex.split(line)
    assert program == "seq2seq-attn"
    command = typer.main.get_command(app).commands[verb]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    for word in words:
        key = word.partition("=")[0].removeprefix("training.").partition(".")[0]
        assert not word.startswith("training.") or key in TrainingConfig.model_fields, word


def test_every_option_of_the_verb_is_spoken_of() -> None:
    command = typer.main.get_command(app).commands["average"]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options <= set(re.findall(r"--[a-z]+", "\n".join(COMMANDS)))


def test_code_is_in_the_file_it_is_said_to_be_from() -> None:
    ((link, excerpt),) = re.findall(r"^Source: \[`[^`]+`\]\(([^)]+)\)\n\n```python\n(.*?)^```$", PAGE, re.M | re.S)
    there = [line.strip() for line in (DOCS / link).read_text(encoding="utf-8").splitlines()]
    assert {line.strip() for line in excerpt.splitlines()} <= set(there)


@pytest.mark.parametrize(("decay", "step"), [(0.99, 890), (0.999, 8990), (0.9999, 89_990)])
def test_the_end_of_the_warm_up_is_where_it_is_said_to_be(decay: float, step: int) -> None:
    assert f"{step:,} for {decay}" in PAGE or f"{step} for {decay}" in PAGE
    assert (1 + step) / (10 + step) == pytest.approx(decay, abs=1e-12)
    assert (step) / (9 + step) < decay - 1e-12
