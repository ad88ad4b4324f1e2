"""Limits of single tasks whose own reference solution needs more than the rest.

`exceptions.json` maps a task's digest to its CPU limit and the reason; a script makes it
from the reference solutions, so that a limit here is measured, never guessed.
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

    timeout_s: float  # CPU seconds
    why: str


@cache
def load_exceptions() -> dict[str, TaskException]:
    """Return every exception by task digest, read once."""
    content = Path(__file__).with_name("exceptions.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, TaskException])


def with_exceptions(tasks: list[Task]) -> list[Task]:
    """Return the tasks, each with the limit that its digest has on record.

    A limit that the task already has, as an own row may say, stands.
    """
    exceptions = load_exceptions()
    return [_with_exception(task, exceptions) for task in tasks] if exceptions else tasks


def _with_exception(task: Task, exceptions: dict[str, TaskException]) -> Task:
    found = exceptions.get(task.digest) if task.timeout_s is None else None
    return replace(task, timeout_s=found.timeout_s) if found else task
