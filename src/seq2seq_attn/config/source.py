"""Read a configuration file as text, or say why it cannot be."""

from __future__ import annotations

import difflib
from pathlib import Path

from seq2seq_attn.config.problems import printable
from seq2seq_attn.errors import ConfigError


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Raises:
        ConfigError: if it cannot be read, with what to do about it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{_name(path)}: no such file{_alternative(path)}  (working directory: {Path.cwd()})"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{_name(path)}: is a folder; name a .yaml file in it") from None
    except OSError as error:
        raise ConfigError(f"{_name(path)}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise ConfigError(f"{_name(path)}: cannot be read: {error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        message = f"{_name(path)} line {line}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError(message) from None


def _name(path: Path) -> str:
    return printable(str(path))


def _alternative(path: Path) -> str:
    """Suggest a file of a similar name in the same folder."""
    try:
        names = [other.name for other in path.parent.iterdir() if other.suffix in (".yaml", ".yml")]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(path.parent / near[0])!r}?" if near else ""
