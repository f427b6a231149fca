"""``docs/alignment.md`` speaks of all that there is, and of nothing that there is not."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import typer

from seq2seq_attn.cli import app
from seq2seq_attn.evaluation.diagnostics import Diagnostics
from seq2seq_attn.evaluation.symmetrize import METHODS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "alignment.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^ +seq2seq-attn (.+?)(?<!\\)$", TEXT.replace("\\\n", ""), re.MULTILINE)
VERBS = typer.main.get_command(app).commands


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_they_are_shown_with(command: str) -> None:
    verb, *arguments = shlex.split(command.split(">")[0])
    options = {name for parameter in VERBS[verb].params for name in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_there_are_commands() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"align", "evaluate"}
    assert any("--reverse" in command for command in COMMANDS)


@pytest.mark.parametrize("name", [*METHODS, *(field.name for field in dataclasses.fields(Diagnostics))])
def test_every_method_and_number_has_a_row(name: str) -> None:
    assert re.search(rf"^\| [^|]*`{re.escape(name)}`", TEXT, re.MULTILINE)


def test_the_help_names_every_method() -> None:
    said = next(parameter.help for parameter in VERBS["align"].params if "--symmetrize" in parameter.opts)
    assert set(METHODS) <= set(re.findall(r"[a-z-]+[a-z]", said))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)", PROSE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
def test_code_compiles_and_its_imports_exist(code: str) -> None:
    compile(code, "alignment.md", "exec")
    exec("\n".join(line for line in code.splitlines() if re.match(r"(from|import) ", line)), {})
