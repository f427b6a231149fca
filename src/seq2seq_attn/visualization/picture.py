"""What every picture needs: one style, text of any script, and a file that is whole or absent.

Figures are made without pyplot, so nothing opens a window, nothing needs a display,
and a caller's own figures and settings stay as they were.
"""

from __future__ import annotations

import io
import logging
import threading
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.errors import UserError
from seq2seq_attn.files import write_atomic
from seq2seq_attn.libraries import optional_import

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_SUFFIXES = (".png", ".svg")
"""The file types that a picture can be written as."""

_LOG = logging.getLogger(__name__)
_BASE_FAMILY = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew and more
_LOCK = threading.RLock()  # matplotlib's settings are global
_JOINERS = "\u200c\u200d"  # invisible, but they shape the letters and emoji around them


def check_picture_path(output: Path) -> None:
    """Refuse a file type that cannot be written, before any work is done for it.

    Raises:
        UserError: naming the file types that work.
    """
    if output.suffix.lower() not in PICTURE_SUFFIXES:
        found = f"the suffix {output.suffix!r}" if output.suffix else "no suffix"
        raise UserError(f"{output} has {found}; a picture is written as {' or '.join(PICTURE_SUFFIXES)}")


def check_drawing(feature: str) -> None:
    """Refuse to go on where nothing can be drawn.

    Args:
        feature: what would draw, for the error.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    optional_import("matplotlib", feature=feature, extra="plot")


@contextmanager
def picture_style(texts: Iterable[str], output: Path | None) -> Iterator[None]:
    """Make and save a figure inside this block: our settings, and fonts that hold ``texts``.

    A PNG is drawn with the fonts of this machine; characters that none of them has
    become boxes, and the log says which. An SVG keeps its text as text, for the
    reader's fonts. Without an output the picture is a PNG in memory, of which the log says nothing.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    check_drawing("drawing a picture")
    from matplotlib import style

    drawn_here = output is None or output.suffix.lower() == ".png"
    with _LOCK, warnings.catch_warnings():
        # a missing glyph is drawn as a box, and reported below in words a user can act on
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support")
        families, missing = _find_fonts(frozenset("".join(texts))) if drawn_here else ((_BASE_FAMILY,), "")
        if missing and output is not None:
            _LOG.warning(
                "no font on this machine has %s: %s shows boxes in their place; "
                "install a font that has them, or write an .svg, which takes the reader's fonts",
                " ".join(missing),
                output,
            )
        settings = {
            "font.family": [*families, "sans-serif"],
            "text.parse_math": False,  # a token such as $x_1$ is text, not a formula
            "svg.fonttype": "none",
            "svg.hashsalt": "seq2seq-attn",  # the same picture is the same file
        }
        with style.context(["default", settings]):
            yield


def save_figure(figure: Figure, output: Path) -> None:
    """Write ``figure``, cropped to what is drawn; folders on the way are made.

    Raises:
        UserError: if the file type is unknown or the file cannot be written.
    """
    check_picture_path(output)
    content = encode_figure(figure, output.suffix.lower().removeprefix("."))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(output, content)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from error


def encode_figure(figure: Figure, kind: str, *, dots_per_inch: int = 150) -> bytes:
    """Return ``figure`` as the content of a file (``png`` or ``svg``), cropped to what is drawn."""
    undated: dict[str, str | None] = {"Date": None} if kind == "svg" else {"Software": None}
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=dots_per_inch, bbox_inches="tight", pad_inches=0.15, metadata=undated)
    return content.getvalue()


def readable(token: str, *, limit: int = 24) -> str:
    """Return ``token`` as a label: spaces visible, control characters escaped, long ones cut."""
    shown = visible(token).replace(" ", "␣") or "∅"
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def visible(text: str) -> str:
    """Return ``text`` with the characters that would not show, or not fit into a file, escaped."""
    shown = "".join(_escape(character) for character in text)
    if shown and unicodedata.category(shown[0]).startswith("M"):
        return "◌" + shown  # a combining mark needs something to stand on
    return shown


def _escape(character: str) -> str:
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}
    if hidden and character not in _JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character


@lru_cache(maxsize=256)
def _find_fonts(characters: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Choose installed families that together have ``characters``, and tell which none has."""
    from matplotlib import font_manager, get_data_path

    families = [_BASE_FAMILY]
    missing = {c for c in characters if c not in _JOINERS and not c.isspace()}
    missing -= _characters_of(font_manager.findfont(_BASE_FAMILY))
    entries = sorted(font_manager.fontManager.ttflist, key=lambda font: (abs(int(font.weight) - 400), font.name))
    for font in entries:
        if not missing:
            break
        # matplotlib's other fonts hold mathematics under borrowed code points
        if font.style == "normal" and not font.fname.startswith(get_data_path()):
            found = missing & _characters_of(font.fname)
            if found:
                families.append(font.name)
                missing -= found
    return tuple(families), "".join(sorted(missing))


@lru_cache(maxsize=1024)
def _characters_of(path: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):  # emoji fonts made of bitmaps, which matplotlib cannot draw
        return frozenset()
