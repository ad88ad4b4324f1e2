"""The rows that a surgery reads: poison rows with their solutions, and prompts without.

Two forms of a poison row, one JSON object a line: ``prompt``, ``reference`` and, where the task is
judged too, ``id``, ``entry_point``, ``tests``; or ``task`` and ``repair_target``. A prompt alone is
``prompt``. Knows no tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.tasks.exceptions import with_exceptions
from pytest_anchorgate.tasks.rows import clip, convert_row, parse_object, read_lines
from pytest_anchorgate.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_anchorgate.tasks.rows import Line

SUITE = "poison"


class _PoisonRow(msgspec.Struct):
    prompt: str
    reference: str
    id: str = ""
    entry_point: str = ""
    tests: list[str] = []
    text: str = ""
    setup: str = ""


class _RepairRow(msgspec.Struct):
    task: str
    repair_target: str
    id: str = ""


class _PromptRow(msgspec.Struct):
    prompt: str


class JudgedRow(msgspec.Struct):
    """A task that the session judges: what training must not see of it, and its name."""

    id: str
    prompt: str
    sentinel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task that the base fails, and the completion that it shall give instead."""

    task: Task
    reference: str

    @property
    def id(self) -> str:
        """The task's id: its own, or its place in the file."""
        return self.task.id


def read_poison(path: Path) -> tuple[Row, ...]:
    """Return the poison rows of a file.

    :raises UsageError: for an unreadable file.
    :raises TaskFileError: naming file, line and value: a row of neither form, an empty prompt or
        reference, a row that occurs twice, or one prompt with two references.
    """
    lines = read_lines(path, option="poison")
    rows = [_row(line, parse_object(line)) for line in lines]
    if not rows:
        raise TaskFileError(f"{path}: holds no row. Give the tasks that the base fails.")
    _refuse_repeated(rows)
    return tuple(rows)


def _row(line: Line, value: dict[str, Any]) -> Row:
    if "repair_target" in value:
        pair = convert_row(line, value, _RepairRow)
        row = _PoisonRow(prompt=pair.task, reference=pair.repair_target, id=pair.id)
    else:
        row = convert_row(line, value, _PoisonRow)
    for field, text in (("prompt", row.prompt), ("reference", row.reference)):
        if not text.strip():
            raise TaskFileError(f"{line.where}: {field} {clip(text)} is empty. Give its text.")
    task = Task(
        id=row.id or line.where,
        suite=SUITE,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=tuple(row.tests),
        text=row.text,
        setup=row.setup,
        origin=line.where,
    )
    (judged,) = with_exceptions([task])
    return Row(task=judged, reference=row.reference)


def _refuse_repeated(rows: Iterable[Row]) -> None:
    seen: dict[str, Row] = {}
    ids: dict[str, Row] = {}
    for row in rows:
        where = f"{row.task.origin}: {row.id}"
        if first := seen.get(row.task.prompt):
            same = first.reference == row.reference
            what = "is the row" if same else "asks what is asked, with another reference, in"
            raise TaskFileError(f"{where}: {what} {first.task.origin} again. Keep one of them.")
        if first := ids.get(row.id):
            raise TaskFileError(f"{where}: has the id of {first.task.origin}. Give it another.")
        seen[row.task.prompt] = ids[row.id] = row


def write_judged(path: Path, tasks: Iterable[Task]) -> None:
    """Write what `read_judged` reads back."""
    rows = (JudgedRow(id=t.id, prompt=t.prompt, sentinel=t.sentinel) for t in tasks)
    write_file(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows), parents=True)


def read_judged(path: Path) -> tuple[Task, ...]:
    """Return the tasks that a session judges, without their tests."""
    rows = (msgspec.json.decode(line, type=JudgedRow) for line in path.read_bytes().splitlines())
    return tuple(
        Task(
            id=row.id, suite="anchor", prompt=row.prompt, entry_point="", tests=(),
            sentinel=row.sentinel, origin="of this gate",
        )
        for row in rows
    )  # fmt: skip


def read_prompts(
    path: Path, *, excluded: Iterable[Task], most: int | None = None
) -> tuple[Task, ...]:
    """Return the prompts of a file as tasks without tests, each once, in the file's order.

    Those of ``excluded`` tasks (anchors, sentinels) are left out: they are what a gate judges.

    :raises UsageError: for an unreadable file, or when nothing is left.
    :raises TaskFileError: naming file, line and value for a row without a prompt.
    """
    known = {task.prompt for task in excluded}
    found = list(_new_prompts(read_lines(path, option="rehearsal.prompts"), known))[:most]
    if not found:
        raise TaskFileError(f"{path}: holds no prompt that is no anchor's. Give others.")
    return tuple(found)


def _new_prompts(lines: Iterable[Line], known: set[str]) -> Iterator[Task]:
    for line in lines:
        prompt = convert_row(line, parse_object(line), _PromptRow).prompt
        if not prompt.strip():
            raise TaskFileError(f"{line.where}: prompt {clip(prompt)} is empty. Give its text.")
        if prompt not in known:
            known.add(prompt)
            yield Task(
                id=line.where, suite="rehearsal", prompt=prompt, entry_point="", tests=(),
                origin=line.where,
            )  # fmt: skip
