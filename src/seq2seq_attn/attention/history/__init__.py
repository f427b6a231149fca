"""Histories: what the score is told of the looks before this one."""

from __future__ import annotations

from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.history.coverage import FertilityCoverage, NeuralCoverage, SumCoverage
from seq2seq_attn.attention.history.location import LocationHistory

__all__ = ["COVERAGES", "FertilityCoverage", "History", "LocationHistory", "NeuralCoverage", "SumCoverage"]

COVERAGES: dict[str, type[History]] = {
    "sum": SumCoverage,
    "fertility": FertilityCoverage,
    "neural": NeuralCoverage,
}
"""Names that ``model.attention.coverage`` may say, besides ``none``."""
