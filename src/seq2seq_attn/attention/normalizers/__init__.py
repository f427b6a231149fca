"""Normalizers: from energies to weights."""

from __future__ import annotations

from seq2seq_attn.attention.normalizers.base import Normalizer
from seq2seq_attn.attention.normalizers.entmax import Entmax15
from seq2seq_attn.attention.normalizers.softmax import Softmax
from seq2seq_attn.attention.normalizers.sparsemax import Sparsemax

__all__ = ["NORMALIZERS", "Entmax15", "Normalizer", "Softmax", "Sparsemax"]

NORMALIZERS: dict[str, type[Normalizer]] = {"softmax": Softmax, "sparsemax": Sparsemax, "entmax-1.5": Entmax15}
"""Names that ``model.attention.normalize`` may say."""
