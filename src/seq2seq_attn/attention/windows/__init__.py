"""Windows: which part of the source is looked at."""

from __future__ import annotations

from seq2seq_attn.attention.windows.base import Window

WINDOWS: dict[str, type[Window]] = {}
"""Names that ``model.attention.window`` may say, besides ``global``."""
