"""Checkpoints: written whole, checked when read, and opened without running code that came with them."""

from __future__ import annotations

from seq2seq_attn.checkpoint.load import Checkpoint, load_checkpoint
from seq2seq_attn.checkpoint.store import CheckpointStore

__all__ = ["Checkpoint", "CheckpointStore", "load_checkpoint"]
