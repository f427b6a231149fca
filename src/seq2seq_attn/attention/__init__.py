"""Attention mechanisms, known by name and put together from parts."""

from __future__ import annotations

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory, Wiring
from seq2seq_attn.attention.build import build_attention
from seq2seq_attn.attention.mechanisms import Mechanism, attention_names, find_attention, register_attention
from seq2seq_attn.attention.parts import AttentionParts
from seq2seq_attn.attention.scores.base import Score

__all__ = [
    "Attended",
    "Attention",
    "AttentionParts",
    "AttentionState",
    "Mechanism",
    "Memory",
    "Score",
    "Wiring",
    "attention_names",
    "build_attention",
    "find_attention",
    "register_attention",
]
