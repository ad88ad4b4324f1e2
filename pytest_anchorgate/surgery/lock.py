"""The lock of a promotion: one process at a time changes which pack is in production.

Knows nothing of packs, journals and gates, only of the directory they lie in. The ledger's own
lock, of the directory itself, may be taken while this one is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import LockHeldError, PromotionError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = ".promotion.lock"  # within packs/
_SHOWN = 200  # bytes of the holder's line that a message shows
_PATIENCE = 20  # hundredths of a second for a holder that has not written its line yet
_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


@contextmanager
def lock(packs: Path, doing: str = "") -> Iterator[None]:
    """Hold the lock of the directory ``packs``; others are told this process and ``doing``.

    Within the block it may be taken again. What a killed process left is no obstacle.

    :raises LockHeldError: when another process holds it, naming that one.
    :raises PromotionError: when the system refuses.
    """
    place = Path(packs).resolve()
    if place in _held.get():
        yield
        return
    path = packs / FILE
    fd = _acquire(path)
    held = _held.set(_held.get() | {place})
    try:
        _write_holder(path, fd, doing)
        yield
    finally:
        _held.reset(held)
        with contextlib.suppress(OSError):  # a file that stays is no obstacle
            path.unlink()  # before the lock goes: whoever waits for this inode finds it gone
        os.close(fd)


def _acquire(path: Path) -> int:
    """Return the descriptor of the locked file that lies at ``path`` now."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _refused(path, error) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _lies_at(path, fd):
                return fd
        except BlockingIOError:
            said = f"{path}: held by {_holder(fd)}. Wait for it to end."
            os.close(fd)
            raise LockHeldError(said) from None
        except OSError as error:
            os.close(fd)
            raise _refused(path, error) from None
        os.close(fd)  # the one that held it has removed this file


def _lies_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _write_holder(path: Path, fd: int, doing: str) -> None:
    what = f" ({' '.join(doing.split())})" if doing else ""
    line = f"pid {os.getpid()}{what}\n".encode("utf-8", "backslashreplace")
    try:
        os.ftruncate(fd, 0)
        os.write(fd, line)
    except OSError as error:
        raise _refused(path, error) from None


def _holder(fd: int) -> str:
    for _ in range(_PATIENCE):
        line, end, _ = os.pread(fd, _SHOWN, 0).partition(b"\n")
        if end or len(line) == _SHOWN:
            text = line.decode("utf-8", "replace")
            return "".join(c if c.isprintable() else " " for c in text)
        time.sleep(0.01)
    return "another process"


def _refused(path: Path, error: OSError) -> PromotionError:
    return PromotionError(
        f"{path}: cannot be locked: {error.strerror}. Give room and permission on a local disk."
    )
