"""Libraries that come with an extra, and may be missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from seq2seq_attn.errors import MissingExtra


def optional_import(module: str, *, feature: str, extra: str) -> ModuleType:
    """Import a library of an extra.

    Raises:
        MissingExtra: if it is not installed; the message says how to install it.
    """
    library = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != library:
            raise  # it is installed, but something that it needs is not
        raise MissingExtra(feature, library, extra) from error
