"""The memory of a process with all of its descendants, sampled while they run."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import defaultdict
from pathlib import Path

EVERY_S = 0.1
PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


class Watch:
    """Samples a process tree's proportional set sizes until `end`."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0  # of all processes at one time
        self.largest_bytes = 0  # of one process
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(EVERY_S):
            sizes = [pss_bytes(pid) for pid in tree(self._pid)]
            self.peak_bytes = max(self.peak_bytes, sum(sizes))
            self.largest_bytes = max(self.largest_bytes, *sizes, 0)


def tree(root: int) -> list[int]:
    """Return a process and its descendants."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def pss_bytes(pid: int) -> int:
    """Return a process's share of the memory it maps; 0 once it has ended."""
    with contextlib.suppress(OSError):
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
        return 1024 * int(found[1]) if found else 0
    return 0
