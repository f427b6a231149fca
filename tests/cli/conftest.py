"""The command line, and a run for it to use."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_server import Commands, shared_commands
from tiny import copy_run, trained_run


@pytest.fixture(scope="session")
def commands() -> Commands:
    """The command line, run in a fresh process each time, one CPU thread."""
    return shared_commands()


@pytest.fixture(scope="session")
def trained() -> Path:
    """A trained run that no test may change."""
    return trained_run()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of it."""
    return copy_run(trained_run(), tmp_path / "run")
