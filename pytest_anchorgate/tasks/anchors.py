"""Own task files (`anchors/*.jsonl`): tasks in full, and references to suite tasks."""

from __future__ import annotations

import keyword
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.rows import Line, clip, convert_row, parse_object
from pytest_anchorgate.tasks.syntax import parse_error, parse_source
from pytest_anchorgate.tasks.task import Task, canonical_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class OwnRow(msgspec.Struct, forbid_unknown_fields=True):
    """A task written in full."""

    id: str
    prompt: str
    entry_point: str
    tests: Annotated[list[str], msgspec.Meta(min_length=1)]
    text: str = ""
    setup: str = ""
    sentinel: bool = False
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    together: bool = False


class ReferenceRow(msgspec.Struct, forbid_unknown_fields=True):
    """A task that stands in a suite's own file."""

    ref: str
    prompt_sha256: str | None = None
    sentinel: bool = False


OwnLine = tuple[Line, OwnRow | ReferenceRow]


def read_own(lines: list[Line]) -> list[OwnLine]:
    """Decode the rows of an own file; a row with the key ``ref`` is a reference."""
    rows: list[OwnLine] = []
    for line in lines:
        value = parse_object(line)
        if "ref" in value:
            rows.append((line, convert_row(line, value, ReferenceRow)))
        else:
            rows.append((line, convert_row(line, value, OwnRow)))
    return rows


def own_tasks(rows: list[OwnLine], suite: str, found: Mapping[str, Task]) -> Iterator[Task]:
    """Yield the tasks of decoded rows; ``found`` has the suite's task for each reference."""
    for line, row in rows:
        if isinstance(row, ReferenceRow):
            yield _referred_task(line, row, suite, found[canonical_id(row.ref)])
        else:
            yield _own_task(line, row, suite)


def _referred_task(line: Line, row: ReferenceRow, suite: str, found: Task) -> Task:
    if row.prompt_sha256 is not None and row.prompt_sha256 != found.prompt_sha256:
        raise TaskFileError(
            f"{line.where}: {row.ref}: prompt_sha256 is {row.prompt_sha256}, but the prompt at "
            f"{found.origin} has {found.prompt_sha256}. The task's text is another one."
        )
    return replace(found, suite=suite, sentinel=row.sentinel, origin=line.where)


def _own_task(line: Line, row: OwnRow, suite: str) -> Task:
    _refuse_bad_id(line, row.id)
    if not row.entry_point.isidentifier() or keyword.iskeyword(row.entry_point):
        raise TaskFileError(f"{line.where}: entry_point {clip(row.entry_point)} is not a name.")
    for index, source in enumerate(row.tests):
        field = f"tests[{index}]"
        _refuse_bad_source(line, field, source)
        tree = parse_source(source)
        if tree is None or not tree.body:
            raise TaskFileError(f"{line.where}: {field}: {clip(source)} tests nothing.")
    _refuse_bad_source(line, "setup", row.setup)
    return Task(
        id=row.id,
        suite=suite,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=tuple(row.tests),
        text=row.text,
        setup=row.setup,
        sentinel=row.sentinel,
        timeout_s=row.timeout_s,
        together=row.together,
        origin=line.where,
    )


def _refuse_bad_id(line: Line, task_id: str) -> None:
    if not task_id.strip() or task_id != task_id.strip() or not task_id.isprintable():
        raise TaskFileError(
            f"{line.where}: id {clip(task_id)} is blank or holds white space at an end or "
            "characters that do not print. It becomes a test id: give it a short name."
        )


def _refuse_bad_source(line: Line, field: str, source: str) -> None:
    if error := parse_error(source):
        raise TaskFileError(f"{line.where}: {field}: {error.msg}: {clip(source)}.")
