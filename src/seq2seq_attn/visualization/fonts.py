"""Which fonts of this machine hold the characters of a picture, and how it is said that none does."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry
    from matplotlib.ft2font import FT2Font

BASE_FAMILY = "DejaVu Sans"
"""Comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew and more."""

JOINERS = "\u200c\u200d"
"""Invisible, but they shape the letters and emoji around them."""

_SHAPING = (3, 11)  # the first matplotlib that joins letters and sets text from right to left
_NEED_SHAPING = (
    "ARABIC",
    "SYRIAC",
    "THAANA",
    "NKO",
    "HEBREW",
    "DEVANAGARI",
    "BENGALI",
    "GURMUKHI",
    "GUJARATI",
    "ORIYA",
    "TAMIL",
    "TELUGU",
    "KANNADA",
    "MALAYALAM",
    "SINHALA",
    "THAI",
    "LAO",
    "TIBETAN",
    "MYANMAR",
    "KHMER",
)


def find_fonts(characters: Iterable[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Choose installed families that together have ``characters``, and tell which none has.

    A font that was installed after matplotlib had made its list is found, too. What a font holds as a bitmap
    only (color emoji) cannot be drawn, and counts as missing.
    """
    return _find(frozenset(c for c in characters if not _needs_no_glyph(c)))


def spell_out(text: str, missing: frozenset[str]) -> str:
    """Write the characters that are ``missing`` as their numbers: ``[U+1F467]``."""
    if missing.isdisjoint(text):
        return text
    return "".join(f"[U+{ord(c):04X}]" if c in missing else c for c in text if not _joins(c))


def unshaped_scripts(text: str) -> list[str]:
    """Name the scripts of ``text`` whose letters this matplotlib would set one by one, from left to right."""
    import matplotlib

    if tuple(matplotlib.__version_info__[:2]) >= _SHAPING:
        return []
    scripts = {unicodedata.name(character, "").partition(" ")[0] for character in text}
    return [script.capitalize() for script in _NEED_SHAPING if script in scripts]


def _joins(character: str) -> bool:
    return character in JOINERS or 0xFE00 <= ord(character) <= 0xFE0F  # variation selectors


def _needs_no_glyph(character: str) -> bool:
    return _joins(character) or character.isspace()


@lru_cache(maxsize=256)
def _find(characters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    from matplotlib import font_manager

    families = [BASE_FAMILY]
    missing = characters - _held(font_manager.findfont(BASE_FAMILY), 0, characters)
    if missing:
        missing = _take(_candidates(), families, missing, characters)
    if missing and _take_in_new_fonts():
        missing = _take(_candidates(), families, missing, characters)
    return tuple(families), missing


def _take(
    entries: list[FontEntry], families: list[str], missing: frozenset[str], characters: frozenset[str]
) -> frozenset[str]:
    """Add families as long as one has something that is missing, the one that has most of it first."""
    held = [(entry, _held(entry.fname, getattr(entry, "index", 0), missing)) for entry in entries]
    while missing:
        entry, found = max(
            held, key=lambda one: (len(one[1] & missing), _preference(one[0], characters)), default=(None, missing)
        )
        if entry is None or not found & missing:
            break
        held.remove((entry, found))
        drawn = {c for c in found & missing if _has_outline(entry.fname, getattr(entry, "index", 0), c)}
        if drawn and entry.name not in families:
            families.append(entry.name)
        missing -= drawn
    return missing


def _preference(entry: FontEntry, characters: frozenset[str]) -> tuple[bool, bool, int, int]:
    """Of fonts that hold as much: plain ones without serifs, and Han characters as the text's language has them."""
    names = " ".join(unicodedata.name(character, "") for character in characters)
    han = "KR" if "HANGUL" in names else "JP" if "HIRAGANA" in names or "KATAKANA" in names else "SC"
    plain = "Sans" in entry.name and "Mono" not in entry.name
    return plain, entry.name.endswith(f" {han}"), -abs(int(entry.weight) - 400), -len(entry.name)


def _candidates() -> list[FontEntry]:
    from matplotlib import font_manager, get_data_path

    # matplotlib's other fonts hold mathematics under borrowed code points
    return [
        font
        for font in sorted(font_manager.fontManager.ttflist, key=lambda font: (font.name, font.fname))
        if font.style == "normal" and not font.fname.startswith(get_data_path())
    ]


@cache
def _take_in_new_fonts() -> bool:
    """Look for fonts that matplotlib does not know of; say whether there are any."""
    from matplotlib import font_manager

    known = {font.fname for font in font_manager.fontManager.ttflist}
    found = False
    for path in set(font_manager.findSystemFonts()) - known:
        try:
            font_manager.fontManager.addfont(path)
            found = True
        except (OSError, RuntimeError, NotImplementedError):  # damaged, or made of bitmaps
            continue
    return found


def _open(path: str, index: int) -> FT2Font:
    from matplotlib.ft2font import FT2Font

    return FT2Font(path, face_index=index) if index else FT2Font(path)


def _held(path: str, index: int, characters: frozenset[str]) -> frozenset[str]:
    """Return those of ``characters`` that a font has, without reading all that it has."""
    try:
        font = _open(path, index)
    except (OSError, RuntimeError):
        return frozenset()
    if not getattr(font, "scalable", True):
        return frozenset()
    return frozenset(character for character in characters if font.get_char_index(ord(character)))


def _has_outline(path: str, index: int, character: str) -> bool:
    if unicodedata.category(character).startswith(("M", "Z")):
        return True  # a mark may be nothing but a place for others
    font = _open(path, index)
    font.load_char(ord(character))
    return len(font.get_path()[0]) > 0
