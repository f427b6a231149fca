"""Recurrent layers: one class per cell, and stacks of them."""

from __future__ import annotations

from seq2seq_attn.nn.recurrent.base import RecurrentLayer
from seq2seq_attn.nn.recurrent.gru import GRULayer, NormedGRULayer
from seq2seq_attn.nn.recurrent.lstm import LSTMLayer, NormedLSTMLayer

CELLS: dict[str, type[RecurrentLayer]] = {"lstm": LSTMLayer, "gru": GRULayer}
NORMED_CELLS: dict[str, type[RecurrentLayer]] = {"lstm": NormedLSTMLayer, "gru": NormedGRULayer}
"""The same cells with layer normalization inside."""
