"""``docs/training.md`` speaks of every option of training, with its default, and shows what is really there."""

from __future__ import annotations

import json
import operator
import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel

from seq2seq_attn.cli import app
from seq2seq_attn.config.schema import ModelConfig, TokenizerConfig, TrainingConfig
from seq2seq_attn.config.training import ValidationMetric
from seq2seq_attn.evaluation.metrics import higher_is_better
from seq2seq_attn.training.rate_range import SMOOTHING

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \| .{10,}", PAGE, re.MULTILINE))
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ELSEWHERE = {"model": ModelConfig(), "tokenizer": TokenizerConfig()}


def leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give each key below a section and its default; of a section that is off, those it has when it is on."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        kinds = [field.annotation, *typing.get_args(field.annotation)]
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if sections:
            yield from leaves(sections[0]() if value is None else value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


DEFAULTS = dict(leaves(TrainingConfig()))


def test_the_keys_are_those_of_the_section() -> None:
    assert {"optimizer.betas", "schedule.kind", "scheduled_sampling.decay", "ema", "guided_alignment.weight"} <= set(
        DEFAULTS
    )
    strangers = {key for key in ROWS if key not in DEFAULTS and key.partition(".")[0] not in ELSEWHERE}
    assert strangers == set()


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_option_has_a_row_with_its_default(key: str) -> None:
    assert key in ROWS, f"docs/training.md does not say what training.{key} is for"
    shown = yaml.safe_load(ROWS[key])
    wanted = json.loads(json.dumps(DEFAULTS[key]))
    assert (float(shown) if isinstance(wanted, float) else shown) == wanted


def test_options_of_other_sections_have_their_defaults() -> None:
    found = {key: shown for key, shown in ROWS.items() if key.partition(".")[0] in ELSEWHERE}
    assert len(found) >= 3
    for key, shown in found.items():
        section, _, name = key.partition(".")
        value = operator.attrgetter(name)(ELSEWHERE[section])
        assert yaml.safe_load(shown) == (value.embedding if key == "model.dropout" else value)


def test_the_direction_of_every_metric() -> None:
    table = re.findall(r"^\| ((?:`[a-z_+]+`(?:, )?)+) \| (higher|lower) \|", PAGE, re.MULTILINE)
    said = {name: direction for names, direction in table for name in re.findall(r"`([^`]+)`", names)}
    assert set(said) == set(typing.get_args(ValidationMetric))
    for name, direction in said.items():
        assert (direction == "higher") == higher_is_better(name), name


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line: str) -> None:
    program, verb, *words = shlex.split(line, comments=True)
    assert program == "seq2seq-attn"
    command = typer.main.get_command(app).commands[verb]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    for word in words:
        key = word.partition("=")[0].removeprefix("training.")
        assert not word.startswith("training.") or key in DEFAULTS, word


def test_options_in_the_text_are_those_of_the_verbs() -> None:
    commands = typer.main.get_command(app).commands
    known = {option for command in commands.values() for each in command.params for option in each.opts}
    named = set(re.findall(r"`[^`\n]*?(?<![\w|-])(--[a-z][a-z-]+)", PAGE))
    assert {"--find-lr", "--resume", "--output"} <= named
    assert named - {"--logdir"} <= known


def test_what_is_said_of_the_range_test() -> None:
    assert f"fall by {SMOOTHING:g} a step" in PAGE
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(code, "docs/training.md", "exec")
    from seq2seq_attn.experiment.find_rate import FoundRate
    from seq2seq_attn.training.rate_range import RateCurve

    assert {"rate", "curve"} <= set(FoundRate.__dataclass_fields__)
    assert isinstance(RateCurve.steepest, property)


def test_links_inside_the_page_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", PAGE, re.M)}
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert len(links) > 5
    assert set(links) <= headings


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", PAGE))))
def test_links_to_files_lead_somewhere(target: str) -> None:
    assert (DOCS / target).exists()
