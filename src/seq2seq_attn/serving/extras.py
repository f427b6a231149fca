"""The libraries that serving needs beside those of the package."""

from __future__ import annotations

from importlib import import_module

from seq2seq_attn.errors import MissingExtra

LIBRARIES = ("fastapi", "uvicorn")


def check_extras() -> None:
    """Raise if a library is not installed.

    Raises:
        MissingExtra: which says how to install it.
    """
    for library in LIBRARIES:
        try:
            import_module(library)
        except ImportError as error:
            raise MissingExtra("serve", library, "serve") from error
