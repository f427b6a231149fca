"""What the schema knows about a key: which section it belongs to, and what a wrong one was meant to be."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Tag

from seq2seq_attn.config.corpora import FORMATS, TextCorpus
from seq2seq_attn.config.schema import Config
from seq2seq_attn.config.tree import Path, show_path
from seq2seq_attn.config.types import Section


def section_at(location: Path) -> type[Section] | None:
    """Return the class that reads the keys at a location as pydantic gives it, tags of unions included."""
    current: type[Section] | None = Config
    choices: dict[str | None, type[Section]] = {}
    for step in location:
        if current is not None and step in current.model_fields:
            info = current.model_fields[str(step)]
            choices = dict(_sections([info.annotation, *info.metadata]))
            current = choices.get(None)
        elif step in choices:
            current = choices[str(step)]
    return current


def may_be_null(location: Path) -> bool:
    """Whether the key at a location takes ``null``."""
    section = section_at(location[:-1])
    info = section.model_fields.get(str(location[-1])) if section is not None else None
    return info is not None and type(None) in get_args(info.annotation)


def suggest(key: str, section: type[Section], path: Path) -> str:
    """Return the right name for a key that ``section`` does not have, or an empty string.

    A key that exists in another section is given with its whole path.
    """
    elsewhere = _nearest(_index().get(key, ()), path)
    if elsewhere:
        return elsewhere
    known = [*section.model_fields, *(FORMATS if section is TextCorpus else ())]
    if near := difflib.get_close_matches(key, known, n=1):
        return near[0]
    if near := difflib.get_close_matches(key, list(_index()), n=1, cutoff=0.8):
        return _nearest(_index()[near[0]], path)
    return ""


def keys_of(section: type[Section]) -> str:
    """List the keys of a section."""
    keys = [*section.model_fields, *(["extends"] if section is Config else [])]
    return ", ".join(sorted(keys))


def _nearest(candidates: tuple[Path, ...], path: Path) -> str:
    def shared(candidate: Path) -> int:
        return next((i for i, (a, b) in enumerate(zip(candidate, path, strict=False)) if a != b), len(path))

    best = max(map(shared, candidates), default=0)
    names = [show_path(candidate) for candidate in candidates if shared(candidate) == best]
    return " or ".join(names) if len(names) <= 3 else ""


@cache
def _index() -> dict[str, tuple[Path, ...]]:
    """Every key of the schema, with the paths at which it may stand; corpora left out."""
    found: dict[str, tuple[Path, ...]] = {}

    def visit(section: type[Section], path: Path) -> None:
        for key, info in section.model_fields.items():
            found[key] = (*found.get(key, ()), (*path, key))
            for tag, child in _sections([info.annotation, *info.metadata]):
                if tag in (None, "<parts>"):
                    visit(child, (*path, key))

    visit(Config, ())
    return found


def _sections(annotations: list[Any], tag: str | None = None) -> Iterator[tuple[str | None, type[Section]]]:
    for annotation in annotations:
        origin = get_origin(annotation)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield tag, annotation
        elif origin is Annotated:
            tags = [item.tag for item in annotation.__metadata__ if isinstance(item, Tag)]
            yield from _sections([get_args(annotation)[0]], tags[0] if tags else tag)
        elif origin in (Union, types.UnionType, tuple, dict):
            yield from _sections(list(get_args(annotation)), tag)
