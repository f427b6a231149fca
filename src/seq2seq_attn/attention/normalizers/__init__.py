"""Normalizers: from energies to weights."""

from __future__ import annotations

from seq2seq_attn.attention.normalizers.base import Normalizer
from seq2seq_attn.attention.normalizers.softmax import Softmax

NORMALIZERS: dict[str, type[Normalizer]] = {"softmax": Softmax}
"""Names that ``model.attention.normalize`` may say."""
