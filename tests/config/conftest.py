from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_attn.config import load_config
from seq2seq_attn.errors import ConfigError

DATA = """\
data:
  source_language: en
  target_language: pt
  train: {source: train.en, target: train.pt}
  validation: {source: validation.en, target: validation.pt}
"""

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that messages can be compared whole."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a configuration; `data` comes first, on lines 1 to 5, unless told otherwise."""

    def write_file(text: str = "", name: str = "exp.yaml", *, data: str = DATA) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data + textwrap.dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def complaint(write: Write) -> Callable[..., list[str]]:
    """Load a configuration that is wrong; return the lines of the message."""

    def load(text: str = "", overrides: object = (), *, data: str = DATA) -> list[str]:
        path = write(text, data=data)
        with pytest.raises(ConfigError) as caught:
            load_config(path, overrides)  # type: ignore[arg-type]
        return str(caught.value).split("\n  ")

    return load
