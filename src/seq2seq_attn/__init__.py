"""Train, inspect and use LSTM encoder-decoder translators with pluggable attention.

    from seq2seq_attn import Translator, load_checkpoint, train

The names below are imported when they are first used, so that the command line answers
at once and a program pays for torch only when it needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "Config",
    "Run",
    "Seq2SeqError",
    "Translation",
    "Translator",
    "attention_names",
    "load_checkpoint",
    "load_config",
    "register_attention",
    "train",
]

if TYPE_CHECKING:
    from seq2seq_attn.attention import attention_names, register_attention
    from seq2seq_attn.checkpoint import Checkpoint, load_checkpoint
    from seq2seq_attn.config import Config, load_config
    from seq2seq_attn.errors import Seq2SeqError
    from seq2seq_attn.experiment.train import Run, train
    from seq2seq_attn.translation import Translation, Translator

_HOMES = {
    "Checkpoint": "checkpoint",
    "Config": "config",
    "Run": "experiment.train",
    "Seq2SeqError": "errors",
    "Translation": "translation",
    "Translator": "translation",
    "attention_names": "attention",
    "load_checkpoint": "checkpoint",
    "load_config": "config",
    "register_attention": "attention",
    "train": "experiment.train",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
