"""One line of progress on a terminal, for work that takes longer than a moment."""

from __future__ import annotations

import sys
import time

QUIET_S = 2.0  # what is over sooner shows nothing
STEP_S = 0.2


class ProgressLine:
    """A line on stderr that says how far the work is; nothing where stderr is no terminal.

    Call it with what is done and what there is in all; close it (or use ``with``) to erase it.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = False
        self._next = time.monotonic() + QUIET_S
        self._terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show ``done`` of ``total``, at most five times a second."""
        now = time.monotonic()
        if not self._terminal or now < self._next:
            return
        self._next, self._shown = now + STEP_S, True
        sys.stderr.write(f"\r{self._label}: {100 * done // max(total, 1):3d}%")
        sys.stderr.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
