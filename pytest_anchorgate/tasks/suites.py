"""From suite names and files to tasks. Every suite is an entry of `SUITES`, or own rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.tasks.anchors import OwnLine, ReferenceRow, own_tasks, read_own
from pytest_anchorgate.tasks.exceptions import with_exceptions
from pytest_anchorgate.tasks.humaneval import (
    HUMANEVAL_FIELDS,
    humaneval_references,
    load_humaneval,
)
from pytest_anchorgate.tasks.mbpp import (
    EVALPLUS_FIELDS,
    MBPP_FIELDS,
    evalplus_references,
    load_evalplus,
    load_mbpp,
    mbpp_references,
)
from pytest_anchorgate.tasks.rows import Line, clip, field_names, read_lines
from pytest_anchorgate.tasks.spec import SuiteSpec, parse_suite_spec
from pytest_anchorgate.tasks.task import Task, canonical_id

__all__ = [
    "SUITES", "Suite", "SuiteSpec", "load_own", "load_references", "load_suite", "parse_suite_spec",
]  # fmt: skip

LoadLines = Callable[[list[Line], Callable[[int], bool]], Iterator[Task]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """One published file format, known by the fields of its first row."""

    name: str
    fields: frozenset[str]
    load: LoadLines
    references: Callable[[list[Line]], dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A built-in suite: the option that supplies its file, and the formats that may be in it."""

    name: str
    option: str
    kinds: tuple[FileKind, ...] = ()  # none: own rows
    id_prefix: str = ""  # of the ids that own rows refer to


_MBPP = FileKind(name="MBPP", fields=MBPP_FIELDS, load=load_mbpp, references=mbpp_references)
_EVALPLUS = FileKind(
    name="EvalPlus MBPP",
    fields=EVALPLUS_FIELDS,
    load=load_evalplus,
    references=evalplus_references,
)
_HUMANEVAL = FileKind(
    name="HumanEval",
    fields=HUMANEVAL_FIELDS,
    load=load_humaneval,
    references=humaneval_references,
)
_KINDS = (_MBPP, _EVALPLUS, _HUMANEVAL)

SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        suite.name: suite
        for suite in (
            Suite(name="anchor", option="--gate-anchors"),
            Suite(name="mbpp", option="--gate-mbpp", kinds=(_MBPP, _EVALPLUS), id_prefix="MBPP/"),
            Suite(
                name="humaneval",
                option="--gate-humaneval",
                kinds=(_HUMANEVAL,),
                id_prefix="HumanEval/",
            ),
            Suite(name="livecodebench", option="--gate-livecodebench"),
        )
    }
)


def load_suite(
    name: str, specs: Sequence[SuiteSpec], *, resolve: Mapping[str, SuiteSpec]
) -> tuple[Task, ...]:
    """Return the tasks of a suite, in the order of its files and their rows.

    ``name`` is a key of `SUITES`, or any other name for a user's own rows. ``resolve`` names
    the suite files that references resolve against; their ranges do not limit references.
    """
    if name == "livecodebench":
        raise UsageError("--gate-livecodebench: this version has no loader for the suite yet.")
    option = SUITES[name].option if name in SUITES else f"suite {name!r}"
    if not specs:
        raise UsageError(f"{option}: the suite {name!r} has no file. Name one.")
    tasks: list[Task] = []
    for spec in specs:
        tasks += _load_spec(name, spec, option=option, resolve=resolve)
    return _whole_suite(tasks)


def load_own(
    name: str, files: Iterable[tuple[SuiteSpec, list[Line]]], *, resolve: Mapping[str, SuiteSpec]
) -> tuple[Task, ...]:
    """Return the tasks of own rows that were read elsewhere, as `load_suite` does of files.

    Here a file without lines, or without a row in its range, has no tasks.
    """
    tasks = [task for spec, lines in files for task in _own(name, spec, lines, resolve)]
    return _whole_suite(tasks)


def load_references(spec: SuiteSpec) -> dict[str, str]:
    """Return the reference solutions of a published suite file, by task id.

    Each is a completion: appended to its task's prompt it makes a whole program.
    """
    lines = read_lines(spec.path, option="reference solutions:")
    if not lines:
        raise TaskFileError(f"{spec.path}: the file is empty. It holds no reference solutions.")
    kind = _kind_of(lines, _KINDS, option="load_references")
    wanted = {task.id for task in kind.load(lines, spec.takes)}
    return {key: text for key, text in kind.references(lines).items() if key in wanted}


def _load_spec(
    name: str, spec: SuiteSpec, *, option: str, resolve: Mapping[str, SuiteSpec]
) -> list[Task]:
    lines = read_lines(spec.path, option=option)
    if not lines:
        raise TaskFileError(f"{spec.path}: the file is empty. Nothing to judge in {name!r}.")
    kinds = SUITES[name].kinds if name in SUITES else ()
    if kinds:
        tasks = list(_kind_of(lines, kinds, option=option).load(lines, spec.takes))
    else:
        tasks = _own(name, spec, lines, resolve)
    if not tasks:
        raise TaskFileError(f"{spec}: no task of {name!r} has such a number. Nothing to judge.")
    return tasks


def _own(
    name: str, spec: SuiteSpec, lines: list[Line], resolve: Mapping[str, SuiteSpec]
) -> list[Task]:
    for line in lines[:1]:
        _refuse_published(line)
    rows = read_own(lines)
    return _in_range(spec, own_tasks(rows, name, _resolve(rows, resolve)))


def _kind_of(lines: list[Line], kinds: Sequence[FileKind], *, option: str) -> FileKind:
    fields = field_names(lines[0])
    for kind in kinds:
        if kind.fields <= fields:
            return kind
    names = " or ".join(f"{kind.name} ({', '.join(sorted(kind.fields))})" for kind in kinds)
    raise TaskFileError(
        f"{lines[0].where}: a row with the fields {', '.join(sorted(fields))} is none that "
        f"{option} reads. It reads {names}."
    )


def _refuse_published(line: Line) -> None:
    """Point a suite's own file, given where own rows belong, to its option."""
    fields = field_names(line)
    for suite in SUITES.values():
        for kind in suite.kinds:
            if kind.fields <= fields:
                raise TaskFileError(
                    f"{line.where}: this is a {kind.name} file, not own rows. "
                    f"Give it with {suite.option} PATH."
                )


def _in_range(spec: SuiteSpec, tasks: Iterable[Task]) -> list[Task]:
    if spec.first is None:
        return list(tasks)
    return [task for task in tasks if spec.takes(_number(spec, task))]


def _number(spec: SuiteSpec, task: Task) -> int:
    if task.number is None:
        raise UsageError(
            f"{spec}: {task.id!r} at {task.origin} has no number for the range to select. "
            "Leave the range out, or give ids that end in /N."
        )
    return task.number


def _resolve(rows: Sequence[OwnLine], resolve: Mapping[str, SuiteSpec]) -> dict[str, Task]:
    """Return every task that rows refer to, reading each suite's file once at most."""
    wanted: dict[str, dict[str, Line]] = {}
    for line, row in rows:
        if isinstance(row, ReferenceRow):
            suite = _referred_suite(row, line, resolve)
            wanted.setdefault(suite.name, {})[canonical_id(row.ref)] = line
    found: dict[str, Task] = {}
    for name, lines in wanted.items():
        suite, spec = SUITES[name], resolve[name]
        suite_lines = read_lines(spec.path, option=suite.option)
        numbers = {int(task_id.rpartition("/")[2]) for task_id in lines}
        kind = _kind_of(suite_lines, suite.kinds, option=suite.option)
        found |= {task.id: task for task in kind.load(suite_lines, numbers.__contains__)}
        for task_id, line in lines.items():
            if task_id not in found:
                raise TaskFileError(
                    f"{line.where}: {task_id} is not in {spec.path} ({kind.name}, "
                    f"{len(suite_lines)} tasks). Give the file that holds it with "
                    f"{suite.option} PATH."
                )
    return found


def _referred_suite(row: ReferenceRow, line: Line, resolve: Mapping[str, SuiteSpec]) -> Suite:
    prefix, slash, number = canonical_id(row.ref).rpartition("/")
    for suite in SUITES.values():
        if suite.id_prefix and suite.id_prefix == prefix + slash and number.isdecimal():
            if suite.name not in resolve:
                raise TaskFileError(
                    f"{line.where}: {row.ref} refers to the suite {suite.name!r}, which has no "
                    f"file. Give it with {suite.option} PATH."
                )
            return suite
    allowed = " or ".join(f"{suite.id_prefix}N" for suite in SUITES.values() if suite.id_prefix)
    raise TaskFileError(f"{line.where}: {clip(row.ref)} names no suite's task. Write {allowed}.")


def _whole_suite(tasks: list[Task]) -> tuple[Task, ...]:
    seen: dict[str, Task] = {}
    for task in tasks:
        if (first := seen.setdefault(task.id, task)) is not task:
            raise TaskFileError(
                f"{task.origin}: the task id {task.id!r} is already at {first.origin}. "
                "An id occurs once in a suite."
            )
    return tuple(with_exceptions(tasks))
