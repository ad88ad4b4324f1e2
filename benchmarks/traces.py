"""What a session leaves on the machine: processes, descriptors, files, mounts, memory.

Linux only: everything is read from /proc.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SETTLE_S = 2.0
STEADY = 5  # reads that must be the same


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind, so it is counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Traces:
    """How much of everything there is at one moment."""

    processes: int  # all descendants, also dead ones that nobody has buried
    descriptors: int  # of this process and of all descendants
    files: int  # in the directory for temporary files
    inside: int  # files in the sandbox's own /tmp, where there is one
    mounts: int  # of this process
    inner_mounts: int  # of all descendants

    @classmethod
    def now(cls) -> Traces:
        """Return the counts of this moment."""
        family = descendants()
        return cls(
            processes=len(family),
            descriptors=sum(_entries(f"/proc/{pid}/fd") for pid in (os.getpid(), *family)),
            files=sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
            inside=sum(_entries(f"/proc/{pid}/root/tmp") for pid in family if _rooted(pid)),
            mounts=_lines("/proc/self/mounts"),
            inner_mounts=sum(_lines(f"/proc/{pid}/mounts") for pid in family),
        )

    @classmethod
    def settled(cls, wanted: Traces | None = None) -> Traces:
        """Return the counts as soon as they stay the same, and are the wanted ones if any.

        A server forks the next process ahead of its order: right after a check there are fewer.
        """
        until = time.monotonic() + SETTLE_S
        found, same = cls.now(), 0
        while same < STEADY and time.monotonic() < until:
            time.sleep(0.02)
            now = cls.now()
            same = same + 1 if now == found and wanted in (None, now) else 0
            found = now
        return found

    def differences(self, other: Traces) -> dict[str, tuple[int, int]]:
        """Return the counts that differ."""
        pairs = {key: (value, getattr(other, key)) for key, value in asdict(self).items()}
        return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process started; the session's own is the zygote."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def descendants() -> list[int]:
    """Return the ids of all processes that come from this one."""
    found = children(os.getpid())
    for pid in found:  # grows meanwhile
        found += children(pid)
    return found


def memory_kib() -> dict[str, int]:
    """Return what all descendants hold: resident, and with shared pages divided among them."""
    Traces.settled()
    held = {"Rss": 0, "Pss": 0}
    for pid in descendants():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for key in held:
            found = re.search(rf"^{key}: +(\d+) kB", text, re.MULTILINE)
            held[key] += int(found[1]) if found else 0
    return held


def _rooted(pid: int) -> bool:
    """Return whether a process has a root directory of its own."""
    try:
        return not Path(f"/proc/{pid}/root").samefile("/")
    except OSError:
        return False


def _entries(directory: str) -> int:
    try:
        return len(os.listdir(directory))  # noqa: PTH208 - a count, not paths
    except OSError:
        return 0


def _lines(path: str) -> int:
    try:
        return Path(path).read_text().count("\n")
    except OSError:
        return 0
