"""The command that follows a promotion: run to its end, shown line by line, and never orphaned.

Knows nothing of what was promoted.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_anchorgate.surgery import attended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOK_S = 0.05  # how often it is looked whether the command has ended
GRACE_S = 2.0  # so long may a command take that was told to end
STILL_S = 1.0  # so long is listened to what it left running
_CHUNK = 1 << 16


def run_after(command: str, root: Path, *, say: Callable[[str], None]) -> str | None:
    """Run a shell command in the directory ``root``; return what went wrong, or None.

    It has a process group of its own and no terminal. Whatever interrupts or kills this process
    ends that group too; what the command itself leaves running in the end stays.
    """
    with _interrupts_wait() as came:
        try:
            process = _start(command, root)
        except (OSError, ValueError) as error:  # no such directory; a zero byte
            return f"could not be started: {getattr(error, 'strerror', None) or error}"
    with process:
        try:
            if came:
                signal.raise_signal(signal.SIGINT)
            for line in _lines(process):
                say(line)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
    return f"exited with {status}" if status else None


def _start(command: str, root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", attended.__file__, command],
        cwd=root,
        stdin=subprocess.PIPE,  # which closes when this process is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@contextmanager
def _interrupts_wait() -> Iterator[list[int]]:
    """Note Ctrl-C instead of obeying it: a command that is being started has no name yet.

    Only the main thread can be interrupted, and only it can do so.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield the lines of what the command says, as they come."""
    rest = b""
    for chunk in _chunks(process):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _chunks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what comes through the pipe until it closes, or the command has ended."""
    assert process.stdout is not None
    until = float("inf")
    pipe = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < until:
            ended = process.poll() is not None  # before looking: what it has said is in the pipe
            if ended:  # and others that it left running may hold the pipe open
                until = min(until, time.monotonic() + STILL_S)
            if selector.select(0 if ended else LOOK_S):
                if not (chunk := os.read(pipe, _CHUNK)):
                    return
                yield chunk
            elif ended:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started: asked first, then killed."""
    try:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
