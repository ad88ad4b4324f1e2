"""HumanEval, as openai/human-eval publishes it (Chen et al. 2021), plain or gzipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.tasks.rows import Line, decode_rows, suite_number
from pytest_anchorgate.tasks.task import Task, canonical_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HUMANEVAL_FIELDS = frozenset({"task_id", "prompt", "entry_point", "test"})


class HumanEvalRow(msgspec.Struct):
    """What we read of a row."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""


def load_humaneval(lines: list[Line], takes: Callable[[int], bool]) -> Iterator[Task]:
    """Yield the tasks whose number is asked for, in the file's order."""
    for line, row in decode_rows(lines, HumanEvalRow):
        task_id = canonical_id(row.task_id)
        if takes(suite_number(line, task_id)):
            yield Task(
                id=task_id,
                suite="humaneval",
                prompt=row.prompt,
                entry_point=row.entry_point,
                tests=(row.test, f"check({row.entry_point})"),
                origin=line.where,
            )


def humaneval_references(lines: list[Line]) -> dict[str, str]:
    """Return each task's reference solution as a completion of its prompt."""
    return {
        canonical_id(row.task_id): row.canonical_solution
        for _, row in decode_rows(lines, HumanEvalRow)
    }
