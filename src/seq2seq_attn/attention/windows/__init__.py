"""Windows: which part of the source is looked at."""

from __future__ import annotations

from seq2seq_attn.attention.windows.base import Window
from seq2seq_attn.attention.windows.local_monotonic import LocalMonotonic
from seq2seq_attn.attention.windows.local_predictive import LocalPredictive

__all__ = ["WINDOWS", "LocalMonotonic", "LocalPredictive", "Window"]

WINDOWS: dict[str, type[Window]] = {"local-m": LocalMonotonic, "local-p": LocalPredictive}
"""Names that ``model.attention.window`` may say, besides ``global``."""
