"""Whose turn it is to run a program: never more at once than there are cores, or one alone.

Locks on files beside the store, so that they hold across xdist's workers and across sessions
that share a store. The kernel releases them when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


class Turns:
    """The turns of all processes that use one store.

    Who wants a turn passes the gate, which one that wants to be alone keeps shut; the hall is
    shared by all that run, or held by the one that is alone.
    """

    def __init__(self, store: Path, cores: int) -> None:
        self.directory = store / "locks"
        self.cores = cores
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.directory}: cannot be made: {error.strerror}. Name another --gate-store."
            ) from error

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold one of the turns, of which there are as many as cores."""
        with self._open("hall") as hall:
            with self._open("gate") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                fcntl.flock(hall, fcntl.LOCK_SH)
            with self._core():
                yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold every turn: wait for those that run, and keep the others waiting."""
        with self._open("gate") as gate, self._open("hall") as hall:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(hall, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _core(self) -> Iterator[None]:
        for number in range(self.cores):
            with self._open(f"core{number}") as core:
                try:
                    fcntl.flock(core, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        with self._open(f"core{os.getpid() % self.cores}") as core:
            fcntl.flock(core, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[int]:
        try:
            fd = os.open(self.directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StoreError(
                f"{self.directory / name}: cannot be opened: {error.strerror}. Name another "
                "--gate-store."
            ) from error
        try:
            yield fd
        finally:
            os.close(fd)
