"""A run to open, and copies of it to damage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny import copy_run, trained_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a trained run."""
    return copy_run(trained_run(), tmp_path / "run")


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Compute on one CPU thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
