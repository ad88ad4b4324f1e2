"""What a process started, and what that started: read from /proc, on Linux alone."""

from __future__ import annotations


def descendants(pid: int) -> list[int]:
    """Return all that a process started, and what that started."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as children:
                waiting += map(int, children.read().split())
        except OSError:
            continue
        found.append(parent)
    return found[1:]
