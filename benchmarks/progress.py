"""A line on stderr for what takes longer than two seconds."""

from __future__ import annotations

import sys
import time

AFTER_S = 2.0


class Progress:
    """One long work of ``total`` steps."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.spoken = time.monotonic()

    def step(self) -> None:
        """Count one step, and say how far it is when nothing was said for a while."""
        self.done += 1
        if time.monotonic() - self.spoken >= AFTER_S:
            self.spoken = time.monotonic()
            print(f"{self.what}: {self.done}/{self.total}", file=sys.stderr, flush=True)


def say(what: str) -> None:
    """Say what begins now."""
    print(what, file=sys.stderr, flush=True)
