"""``docs/fine-tuning.md`` shows a configuration, keys and names that are really there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from seq2seq_attn import load_config
from seq2seq_attn.models.build import build_model

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "fine-tuning.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "few.yaml"
    path.write_text(shown, encoding="utf-8")
    return path


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_right_requests(config: Path, line: str) -> None:
    program, verb, file, *overrides = shlex.split(line)
    assert (program, verb, file) == ("seq2seq-attn", "train", "few.yaml")
    loaded = load_config(config, overrides)
    assert loaded != load_config(config)


def test_it_begins_with_the_sizes_of_the_model_it_takes(config: Path) -> None:
    assert load_config(config).model == load_config(DOCS.parent / "configs" / "toy.yaml").model


def test_the_parts_that_are_named_are_those_of_the_model(config: Path) -> None:
    with torch.device("meta"):
        model = build_model(load_config(config).model, source_vocabulary=392, target_vocabulary=544, padding=0)
    assert f"{model.num_parameters:,} parameters" in PAGE
    parts = {name.partition(".")[0] for name, _ in model.named_parameters()}
    (line,) = re.findall(r"A recurrent model has (.*?), and its attention", PAGE)
    assert set(re.findall(r"`(\w+)`", line)) == parts
    assert any(name.startswith("decoder.attention.") for name, _ in model.named_parameters())


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (DOCS / target).exists(), target
