"""What a run says while it goes on, past pytest's capture."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESS_AFTER_S = 2.0
PROGRESS_EVERY_S = 5.0


class Terminal:
    """The standard output that the session began with: its lines are never captured.

    While a test waits for its answer, pytest captures what is written, and a line on progress
    would be shown only after a failure.
    """

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.dup(sys.stdout.fileno())
        except (OSError, ValueError):  # an embedding that has no such file: say nothing
            self._fd = None

    def say(self, line: str) -> None:
        """Write one line; pytest may be in the middle of its own."""
        if self._fd is not None:
            os.write(self._fd, f"\n{line}\n".encode())

    def write(self, line: str) -> None:
        """Write one line before pytest has begun one."""
        if self._fd is not None:
            os.write(self._fd, f"{line}\n".encode())

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@dataclass(slots=True)
class Progress:
    """Says how far generation is, at most every few seconds and only when it takes long."""

    say: Callable[[str], None]
    began: float = 0.0
    said: float = 0.0

    def __call__(self, answered: int, total: int) -> None:
        """Note that ``answered`` of ``total`` requests are done."""
        now = time.monotonic()
        if not self.began:
            self.began = self.said = now
        if answered == total or now - self.began < PROGRESS_AFTER_S:
            return
        if now - self.said >= PROGRESS_EVERY_S or self.said == self.began:
            self.said = now
            self.say(f"anchorgate: {answered} of {total} completions, {now - self.began:.0f} s")
