"""What is wrong with a configuration, and where: collected, then shown all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seq2seq_attn.errors import ConfigError

LONGEST_QUOTE = 60


@dataclass(frozen=True)
class Origin:
    """Where a key was written: a line of a file, or an override.

    Attributes:
        source: the file as the user named it, or what the overrides are called.
        layer: 0 for the file that was asked for, 1 for the file it extends, and so on.
        line: counted from 1; None when the whole source is meant.
        override: the override as it was typed; None in a file.
    """

    source: str
    layer: int = 0
    line: int | None = None
    override: str | None = None

    def at(self, line: int) -> Origin:
        """Return the same source at another line; an override has no lines."""
        return self if self.override is not None else Origin(self.source, self.layer, line)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    origin: Origin
    path: str
    message: str

    def __str__(self) -> str:
        origin = self.origin
        if origin.override is not None:
            places = [origin.source, origin.override]
            if self.path != origin.override.partition("=")[0].strip():
                places.append(self.path)
        else:
            line = "" if origin.line is None else f"line {origin.line}"
            places = [line if origin.layer == 0 else f"{origin.source} {line}".rstrip(), self.path]
        return ": ".join(printable(part) for part in (*places, self.message) if part)


def all_wrong(title: str, problems: Iterable[Problem]) -> ConfigError:
    """Return one error that shows every problem, those of the same file by line."""
    unique = sorted(set(problems), key=lambda p: (p.origin.layer, p.origin.line or 0, p.path, p.message))
    count = "1 error" if len(unique) == 1 else f"{len(unique)} errors"
    return ConfigError("\n  ".join([f"{printable(title)} has {count}", *map(str, unique)]))


def printable(text: str) -> str:
    """Escape what a terminal could not show or would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def describe(value: object) -> str:
    """Say in the user's words what stands in the file."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            number = f"{value:.17g}" if isinstance(value, int) and abs(value) > 10**17 else repr(value)
            return f"the number {number}"
        case "":
            return "empty text"
        case str():
            return f"the text {value[:LONGEST_QUOTE]!r}" + ("..." if len(value) > LONGEST_QUOTE else "")
        case dict():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}" if value else "an empty list"
        case _:
            return f"a Python {type(value).__name__}"
