"""What a user keeps is written whole or not at all, and nothing else is touched."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.files import (
    check_output,
    file_atomic,
    folder_atomic,
    link_atomic,
    remove_folder,
    remove_leftovers,
    write_atomic,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def interrupt(written: int) -> None:
    assert written > 0
    raise KeyboardInterrupt


@pytest.mark.parametrize("content", ["", "línea\r\nb\n", b"\x00\xff"])
def test_content_is_written_as_it_is(tmp_path, content):
    path = tmp_path / "file"
    path.write_text("old and longer than the new one")
    write_atomic(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_file_appears_when_its_block_ends_well(tmp_path):
    path = tmp_path / "file"
    with file_atomic(path) as file:
        file.write("ä\n")
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\xa4\n"
    with pytest.raises(KeyboardInterrupt), file_atomic(path) as file:
        interrupt(file.write("half"))
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert names(tmp_path) == ["file"]


def test_a_symbolic_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert names(tmp_path) == ["elsewhere", "link"]


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    """Run as root, ``--output /dev/null`` would otherwise put a file in the place of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with file_atomic(pipe) as file:
        file.write("through")
    reader.join(timeout=10)
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with file_atomic(Path(os.devnull)) as file:
        file.write("gone")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    home = tmp_path / "made" / "home"
    with folder_atomic(home) as aside:
        (aside / "first").write_text("1")
        assert not home.exists()
    with folder_atomic(home) as aside:
        (aside / "inner").mkdir()
        (aside / "inner" / "second").write_text("2")
        assert names(home) == ["first"]
    assert names(home) == ["inner"]
    assert names(tmp_path / "made") == ["home"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    home = tmp_path / "home"
    with folder_atomic(home) as aside:
        (aside / "first").write_text("1")
    with pytest.raises(KeyboardInterrupt), folder_atomic(home) as aside:
        interrupt((aside / "second").write_text("2"))
    assert names(home) == ["first"]
    assert names(tmp_path) == ["home"]


def test_a_folder_that_cannot_take_its_name_gives_it_back(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "first").write_text("1")
    rename = Path.rename

    def fail_second(self: Path, target: Path) -> Path:
        if target == home and (self / "second").exists():
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(OSError, match="no"), folder_atomic(home) as aside:
        (aside / "second").write_text("2")
    assert names(home) == ["first"]
    assert names(tmp_path) == ["home"]


def test_a_link_moves_in_one_step(tmp_path):
    link = tmp_path / "last"
    for target in ("step-1", "step-2"):
        (tmp_path / target).mkdir()
        link_atomic(link, target)
        assert link.resolve() == (tmp_path / target).resolve()
        assert str(link.readlink()) == target, "relative, so that the run folder can be moved"
    assert names(tmp_path) == ["last", "step-1", "step-2"]


def test_a_link_that_cannot_take_its_name_leaves_nothing(tmp_path):
    (tmp_path / "last").mkdir()
    with pytest.raises(OSError, match="last"):
        link_atomic(tmp_path / "last", "step-1")
    assert names(tmp_path) == ["last"]


def test_leftovers_of_an_interrupted_write_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "kept").write_text("1")
    (tmp_path / ".hidden").write_text("1")
    (tmp_path / ".aside-home-1-abc").mkdir()
    (tmp_path / ".aside-home-1-abc" / "part").write_text("1")
    (tmp_path / ".aside-file-1-abc").write_text("1")
    (tmp_path / ".aside-link-1-abc").symlink_to(tmp_path / "kept")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "kept"]


def test_a_write_that_is_killed_leaves_what_remove_leftovers_knows(tmp_path):
    with folder_atomic(tmp_path / "home"), file_atomic(tmp_path / "file"):
        assert all(name.startswith(".aside-") for name in names(tmp_path))


def test_a_removed_folder_is_gone(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "file").write_text("1")
    remove_folder(home)
    assert names(tmp_path) == []


def test_output_that_cannot_be_written_is_refused_beforehand(tmp_path):
    check_output(tmp_path / "new")
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        check_output(tmp_path)
    with pytest.raises(UserError, match=r"the folder .*missing does not exist"):
        check_output(tmp_path / "missing" / "file")
