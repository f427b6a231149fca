"""Histories: what the score is told of the looks before this one."""

from __future__ import annotations

from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.history.location import LocationHistory

__all__ = ["COVERAGES", "History", "LocationHistory"]

COVERAGES: dict[str, type[History]] = {}
"""Names that ``model.attention.coverage`` may say, besides ``none``."""
