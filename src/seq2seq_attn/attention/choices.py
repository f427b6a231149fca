"""What the parts of a mechanism can be, for those who choose."""

from __future__ import annotations

from typing import NamedTuple

from seq2seq_attn.attention.history import COVERAGES, LocationHistory
from seq2seq_attn.attention.monotonic import MONOTONIC
from seq2seq_attn.attention.multi_head import MultiHeadAttention
from seq2seq_attn.attention.normalizers import NORMALIZERS
from seq2seq_attn.attention.windows import WINDOWS


class Choice(NamedTuple):
    """One value of one key of ``model.attention``."""

    key: str
    value: str
    summary: str
    paper: str


def attention_choices() -> list[Choice]:
    """List what can be combined with a score, key by key."""
    found = [Choice("normalize", name, cls.summary, cls.paper) for name, cls in NORMALIZERS.items()]
    found += [Choice("window", name, cls.summary, cls.paper) for name, cls in WINDOWS.items()]
    found += [Choice("coverage", name, cls.summary, cls.paper) for name, cls in COVERAGES.items()]
    found += [Choice("location_sensitive", "true", LocationHistory.summary, LocationHistory.paper)]
    found += [Choice("monotonic", name, cls.summary, cls.paper) for name, cls in MONOTONIC.items()]
    found += [Choice("heads", "N", MultiHeadAttention.summary, MultiHeadAttention.paper)]
    return found
