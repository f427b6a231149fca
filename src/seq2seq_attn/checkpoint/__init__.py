"""Checkpoints: written whole, checked when read, and opened without running code that came with them.

The names below are imported when they are first used: what is in a folder can be known without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq_attn.checkpoint.load import Checkpoint, load_checkpoint
    from seq2seq_attn.checkpoint.store import CheckpointStore

__all__ = ["Checkpoint", "CheckpointStore", "load_checkpoint"]

_HOMES = {"Checkpoint": "load", "CheckpointStore": "store", "load_checkpoint": "load"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
