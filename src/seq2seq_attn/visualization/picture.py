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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.errors import UserError
from seq2seq_attn.files import write_atomic
from seq2seq_attn.libraries import optional_import
from seq2seq_attn.visualization.fonts import BASE_FAMILY, JOINERS, find_fonts, spell_out, unshaped_scripts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_SUFFIXES = (".png", ".svg")
"""The file types that a picture can be written as."""

_LOG = logging.getLogger(__name__)
_LOCK = threading.RLock()  # matplotlib's settings are global


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
def picture_style(texts: Iterable[str], output: Path | None) -> Iterator[Callable[[str], str]]:
    """Make and save a figure inside this block: our settings, and fonts that hold ``texts``.

    The block gets a function that returns a text as it can be drawn. A PNG is drawn with the fonts of this
    machine: what none of them has is spelled out as ``[U+1F467]``, and the log says so. An SVG keeps its text as
    text, for the reader's fonts. Without an output the picture is a PNG in memory, of which the log says nothing.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    check_drawing("drawing a picture")
    from matplotlib import style

    drawn_here = output is None or output.suffix.lower() == ".png"
    characters = frozenset("".join(texts))
    with _LOCK, warnings.catch_warnings():
        # a mark or a joiner may be missing from a font that draws its letters; all else is spelled out
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support")
        families, missing = find_fonts(characters)
        if output is not None and drawn_here:
            _report(output, missing, unshaped_scripts("".join(sorted(characters))))
        settings = {
            "font.family": [*families, "sans-serif"],
            "font.sans-serif": [BASE_FAMILY],  # or an SVG would name a dozen families beside every label
            "text.parse_math": False,  # a token such as $x_1$ is text, not a formula
            "svg.fonttype": "none",
            "svg.hashsalt": "seq2seq-attn",  # the same picture is the same file
        }
        with style.context(["default", settings]):
            yield partial(spell_out, missing=missing if drawn_here else frozenset())


def _report(output: Path, missing: frozenset[str], unshaped: list[str]) -> None:
    instead = "write an .svg, which takes the reader's fonts"
    if missing:
        named = ", ".join(f"{character} (U+{ord(character):04X})" for character in sorted(missing))
        _LOG.warning(
            "no font on this machine has %s: %s shows numbers such as [U+%04X] in their place; "
            "install a font that has them, or %s",
            named,
            output,
            ord(min(missing)),
            instead,
        )
    if unshaped:
        _LOG.warning(
            "this matplotlib sets the letters of %s one by one and from left to right in %s; "
            "install matplotlib 3.11 or later, or %s",
            ", ".join(unshaped),
            output,
            instead,
        )


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
    found = content.getvalue()
    if kind == "svg":
        # each label in the direction of its own letters, or a mark before an Arabic word would stand behind it
        found = found.replace(b'<style type="text/css">', b'<style type="text/css">text{unicode-bidi: plaintext}', 1)
    return found


def readable(token: str, *, limit: int = 24) -> str:
    """Return ``token`` as a label: spaces visible, control characters escaped, long ones cut."""
    shown = visible(token).replace(" ", "␣") or "∅"
    if len(shown) <= limit:
        return shown
    end = limit - 1
    while end > 1 and (unicodedata.category(shown[end]).startswith("M") or {*shown[end - 1 : end + 1]} & {*JOINERS}):
        end -= 1  # a letter is not cut off from its marks
    return shown[:end] + "…"


def visible(text: str) -> str:
    """Return ``text`` with the characters that would not show, or not fit into a file, escaped."""
    shown = "".join(_escape(character) for character in text)
    if shown and unicodedata.category(shown[0]).startswith("M"):
        return "◌" + shown  # a combining mark needs something to stand on
    return shown


def _escape(character: str) -> str:
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}
    if hidden and character not in JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character
