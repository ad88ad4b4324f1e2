"""Which anchors are sentinels, and how an anchor is written as a row. Opens no file."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from pytest_anchorgate.tasks.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_anchorgate.tasks.task import Task

MANY = 3  # so many anchors have a sentinel, however small the share
# Inside a JSON string a backslash stands before a quotation mark: this is the row's own key.
_UNMARKED = re.compile(rb'(?<!\\)("sentinel"\s*:\s*)false')


def draw_sentinels(
    task_ids: Collection[str], *, share: float, seed: int, marked: Collection[str] = ()
) -> frozenset[str]:
    """Return which anchors are sentinels: the share, rounded to the nearest number.

    A draw by rank: tasks are ranked by sha256 of ``f"{seed}:{task id}"`` and the lowest ones are
    drawn. It does not depend on their order, and when tasks are added, the old ones keep their
    ranks: a mark goes only where an added task ranks lower. ``marked`` are sentinels already;
    they stay and count. Of three anchors or more at least one is drawn, unless the share is 0.
    """
    number = int(share * len(task_ids) + 0.5)
    if share > 0 and len(task_ids) >= MANY:
        number = max(number, 1)
    free = sorted(set(task_ids) - set(marked), key=lambda task_id: _rank(seed, task_id))
    return frozenset(marked).union(free[: max(0, number - len(set(marked)))])


def _rank(seed: int, task_id: str) -> str:
    return hashlib.sha256(f"{seed}:{task_id}".encode()).hexdigest()


def anchor_row(task: Task, sources: Mapping[str, bytes], *, sentinel: bool) -> bytes:
    """Return an anchor's row: its own as it stands in its file, or a reference to its suite."""
    if SUITES[task.suite].id_prefix:
        row = {"ref": task.id, "prompt_sha256": task.prompt_sha256}
        return json.dumps(row | ({"sentinel": True} if sentinel else {})).encode()
    text = sources[task.origin]
    return _marked(text) if sentinel and not task.sentinel else text


def _marked(text: bytes) -> bytes:
    """Return a row with its sentinel set and every other byte as it was."""
    marked, found = _UNMARKED.subn(rb"\1true", text)
    if found:
        return marked
    end = text.rindex(b"}")
    return text[:end].rstrip() + b', "sentinel": true' + text[end:]
