"""Commands in processes of their own."""

from __future__ import annotations

import pytest
from command_server import Commands, shared_commands


@pytest.fixture(scope="session")
def commands() -> Commands:
    """The command line, run in a fresh process each time, one CPU thread."""
    return shared_commands()
