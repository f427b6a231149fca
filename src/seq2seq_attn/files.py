"""Files that a user keeps are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seq2seq_attn.errors import UserError


def check_output(path: Path) -> None:
    """Refuse a place where no file can be written, before any work is done for it.

    Raises:
        UserError: if it is a folder, or in a folder that does not exist.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist")


def check_folder(path: Path, kind: str, *, option: str) -> None:
    """Refuse a place where no folder can be written, before any work is done for it.

    Args:
        path: of the folder, which need not exist.
        kind: what it is to be, for the error.
        option: that names it, for the error.

    Raises:
        UserError: naming what is in the way.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file, but {kind} is a folder; name another one with {option}")
    standing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        raise UserError(f"{path}: cannot be written, because of {standing}; name another folder with {option}")


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Text is written as UTF-8 with the line ends it has.
    """
    data = content.encode() if isinstance(content, str) else content
    with _place_for(path) as place:
        place.write_bytes(data)


@contextmanager
def file_atomic(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file for writing; it takes the name ``path`` only when the block ends well."""
    with _place_for(path) as place, place.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def _place_for(path: Path) -> Iterator[Path]:
    """Give a file to fill beside ``path``; it takes the name when the block ends well.

    A pipe or a device (``/dev/null``) is written itself: a renamed file would take its place for
    good. A symbolic link stays one.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    aside = _aside(path)
    try:
        yield aside
        _sync(aside)
        aside.replace(path)
        _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_atomic(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the name ``path`` only when the block ends well.

    An older folder of that name is replaced. When the block raises, nothing of it stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    aside.mkdir()
    try:
        yield aside
        rename_folder(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def rename_folder(whole: Path, path: Path) -> None:
    """Give a folder that is complete the name ``path``, in place of an older folder of that name."""
    for file in whole.rglob("*"):
        _sync(file)
    _sync_folder(whole)
    if path.exists():
        old = _aside(path)
        path.rename(old)
        _sync_folder(path.parent)  # the old one, under its other name, must be found if the machine dies now
        try:
            whole.rename(path)
        except BaseException:
            old.rename(path)
            raise
        shutil.rmtree(old)
    else:
        whole.rename(path)
    _sync_folder(path.parent)


def link_atomic(link: Path, target: str) -> None:
    """Point the symbolic ``link`` at ``target`` (relative to the link's folder) in one step."""
    aside = _aside(link)
    aside.symlink_to(target)
    try:
        aside.replace(link)
        _sync_folder(link.parent)
    finally:
        aside.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Delete a folder; its name is gone at once, so that nobody finds it half deleted."""
    aside = path.parent / f".aside-removed-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    path.rename(aside)
    shutil.rmtree(aside)


def remove_leftovers(folder: Path) -> None:
    """Delete what an interrupted write left in ``folder``."""
    for path in folder.glob(".aside-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.parent / f".aside-{path.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # who may write into a folder may still not be allowed to open it
        _sync(path)
