"""One process per run folder."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path
from types import TracebackType

from seq2seq_attn.errors import Seq2SeqError, TrainingError, UserError

LOCK = ".lock"

NOT_KNOWN = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems without locks answer; a run there is not guarded."""

PATIENCE = 100
"""How often a folder may vanish under our hands before it is one in which nothing can be made."""

_held: set[int] = set()


class RunLock:
    """Keeps other processes from writing into a run folder until the block ends.

    The lock is the operating system's (``flock``) and not the file: it is gone when its process is, however that
    ended. Reading a run needs none. The folder is made if it is not there, and taken away again if the
    block leaves nothing in it.

    Args:
        folder: of the run.

    Raises:
        UserError: when entered, if another process has it.
        TrainingError: when entered, if nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / LOCK
        self._descriptor: int | None = None
        self._made: set[Path] = set()

    def __enter__(self) -> RunLock:
        try:
            missing = 0
            while self._descriptor is None:
                try:
                    self._make_folder()
                    self._descriptor = self._take()
                except FileNotFoundError:  # another one has just ended and taken its empty folder away
                    missing += 1
                    if missing == PATIENCE:
                        raise
            _held.add(self._descriptor)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
        except OSError as error:
            self._release()
            raise TrainingError(
                f"{self.folder}: cannot be written ({error.strerror}); choose another folder with --output"
            ) from error
        except Seq2SeqError:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor in _held:  # not in a process forked from this one
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._release()

    def _make_folder(self) -> None:
        self._made |= {path for path in (self.folder, *self.folder.parents) if not path.exists()}
        self.folder.mkdir(parents=True, exist_ok=True)

    def _take(self) -> int | None:
        """Open and lock the file; None if it has lost its name in between, to one who has just ended."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if self._is_named(descriptor):
                return descriptor
        except BlockingIOError:
            owner = os.read(descriptor, 200).decode(errors="replace").split()
            os.close(descriptor)
            who = f"process {owner[0]} on {owner[1]}" if len(owner) == 2 else "another process"
            raise UserError(
                f"{self.folder}: {who} is working on this run; wait until it has ended or stop it, "
                "or choose another folder with --output"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _is_named(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _release(self) -> None:
        if self._descriptor is not None:
            _held.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        for path in sorted(self._made, key=lambda path: len(path.parts), reverse=True):
            try:
                path.rmdir()
            except OSError:  # something is in it, as it should be
                break


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NOT_KNOWN:
            raise


def _let_go() -> None:
    """Keep processes that are forked from this one from holding its locks when it is no more."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
