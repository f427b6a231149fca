"""A run to open, and copies of it to damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import copy_run, trained_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a trained run."""
    return copy_run(trained_run(), tmp_path / "run")
