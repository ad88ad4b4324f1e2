"""What single published tasks need that the others do not.

`exceptions.json` maps a task's digest to a CPU limit, to whether its tests must run beside the
program, and to the reason; a script makes it from the reference solutions, so that nothing here
is guessed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pytest_anchorgate.tasks.task import Task


class TaskException(msgspec.Struct, frozen=True, kw_only=True):
    """What one task may do that the others may not."""

    why: str
    timeout_s: float | None = None  # CPU seconds
    together: bool = False


@cache
def load_exceptions() -> dict[str, TaskException]:
    """Return every exception by task digest, read once."""
    content = Path(__file__).with_name("exceptions.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, TaskException])


def with_exceptions(tasks: list[Task]) -> list[Task]:
    """Return the tasks, each with what its digest has on record.

    A limit that the task already has, as an own row may say, stands.
    """
    exceptions = load_exceptions()
    return [_with_exception(task, exceptions) for task in tasks] if exceptions else tasks


def _with_exception(task: Task, exceptions: dict[str, TaskException]) -> Task:
    found = exceptions.get(task.digest)
    if found is None:
        return task
    timeout_s = found.timeout_s if task.timeout_s is None else task.timeout_s
    return replace(task, timeout_s=timeout_s, together=task.together or found.together)
