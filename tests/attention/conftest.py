"""What the tests of attention share."""

from __future__ import annotations

import pytest

from seq2seq_attn.attention.scores import location


@pytest.fixture(autouse=True)
def few_positions(monkeypatch):
    """Finite differences over a thousand rows, of which seven are used, take a quarter of a minute each time."""
    monkeypatch.setattr(location, "POSITIONS", 13)
