"""MBPP, as published (`mbpp.jsonl`) and as EvalPlus publishes it (`MbppPlus-*.jsonl`).

Formats: google-research/mbpp (Austin et al. 2021) and evalplus/evalplus. Only the fields
named here are decoded: EvalPlus's inputs are most of its file.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.rows import Line, clip, decode_rows, suite_number
from pytest_anchorgate.tasks.syntax import DEFINITIONS, normal_newlines, parse_source
from pytest_anchorgate.tasks.task import Task, canonical_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MBPP_FIELDS = frozenset({"task_id", "text", "code", "test_list"})
EVALPLUS_FIELDS = frozenset({"task_id", "prompt", "entry_point", "assertion"})

_DEFINED = re.compile(r"^(?:def|class) +(\w+)", re.MULTILINE)
_CALLED = re.compile(r"\b([^\W\d]\w*) *\(")


class MbppRow(msgspec.Struct):
    """What we read of a row of `mbpp.jsonl`; its challenge tests are no part of the benchmark."""

    task_id: int
    text: str
    code: str
    test_list: list[str]
    test_setup_code: str = ""


class EvalPlusRow(msgspec.Struct):
    """What we read of a row of `MbppPlus-*.jsonl`."""

    task_id: str
    prompt: str
    entry_point: str
    assertion: str
    canonical_solution: str


def docstring_prompt(text: str, first_test: str) -> str:
    """Return the description and its first assert in a docstring, as EvalPlus writes them."""
    return f'"""\n{text}\n{first_test}\n"""\n'


def load_mbpp(lines: list[Line], takes: Callable[[int], bool]) -> Iterator[Task]:
    """Yield the tasks of `mbpp.jsonl` whose number is asked for, in the file's order."""
    for line, row in decode_rows(lines, MbppRow):
        if takes(row.task_id):
            yield _mbpp_task(line, row)


def load_evalplus(lines: list[Line], takes: Callable[[int], bool]) -> Iterator[Task]:
    """Yield the tasks of `MbppPlus-*.jsonl` whose number is asked for, in the file's order."""
    for line, row in decode_rows(lines, EvalPlusRow):
        task_id = canonical_id(row.task_id)
        if takes(suite_number(line, task_id)):
            setup, tests = _split_assertion(line, row.assertion)
            yield Task(
                id=task_id,
                suite="mbpp",
                prompt=row.prompt,
                entry_point=row.entry_point,
                tests=tests,
                setup=setup,
                origin=line.where,
            )


def mbpp_references(lines: list[Line]) -> dict[str, str]:
    """Return each task's reference solution as a completion of its prompt."""
    return {
        f"MBPP/{row.task_id}": normal_newlines(row.code) + "\n"
        for _, row in decode_rows(lines, MbppRow)
    }


def evalplus_references(lines: list[Line]) -> dict[str, str]:
    """Return each task's reference solution as a completion of its prompt."""
    return {
        canonical_id(row.task_id): row.canonical_solution
        for _, row in decode_rows(lines, EvalPlusRow)
    }


def _mbpp_task(line: Line, row: MbppRow) -> Task:
    if not row.test_list:
        raise TaskFileError(f"{line.where}: test_list is empty: MBPP/{row.task_id} tests nothing.")
    text = normal_newlines(row.text)
    tests = tuple(normal_newlines(test) for test in row.test_list)
    return Task(
        id=f"MBPP/{row.task_id}",
        suite="mbpp",
        prompt=docstring_prompt(text, tests[0]),
        text=text,
        entry_point=_entry_point(line, row.code, tests),
        tests=tests,
        setup=normal_newlines(row.test_setup_code),
        origin=line.where,
    )


def _entry_point(line: Line, code: str, tests: tuple[str, ...]) -> str:
    """Return the function that the tests call and the reference solution defines.

    A scan of the text finds it for nearly every task; where it finds none or several, the
    trees decide: the outermost call of the first test comes first, functions before classes.
    """
    source = normal_newlines(code)
    scanned: set[str] = set(_DEFINED.findall(source)) & set(_CALLED.findall("\n".join(tests)))
    if len(scanned) == 1:
        return scanned.pop()
    if name := find_entry_point(source, tests):
        return name
    raise TaskFileError(f"{line.where}: no test calls a function of code: {clip(tests[0])}.")


def find_entry_point(code: str, tests: tuple[str, ...]) -> str | None:
    """Return the outermost function called in the tests that the code defines, by their trees."""
    tree = parse_source(code)
    defined = {
        node.name: isinstance(node, ast.ClassDef)
        for node in (tree.body if tree else ())
        if isinstance(node, DEFINITIONS)
    }
    called = [name for test in tests for name in _called_names(test) if name in defined]
    return min(called, key=lambda name: defined[name], default=None)


def _called_names(test: str) -> Iterator[str]:
    tree = parse_source(test)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _split_assertion(line: Line, assertion: str) -> tuple[str, tuple[str, ...]]:
    """Return what precedes the first assert as setup, and the statements from it on."""
    tree = parse_source(assertion)
    if tree is None:
        raise TaskFileError(f"{line.where}: assertion is not Python: {clip(assertion)}.")
    lines = assertion.split("\n")
    starts = [node.lineno - 1 for node in tree.body]
    parts = [
        "\n".join(lines[start:end]).strip()
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)
    ]
    first = next((i for i, node in enumerate(tree.body) if isinstance(node, ast.Assert)), None)
    if first is None:
        raise TaskFileError(f"{line.where}: assertion asserts nothing: {clip(assertion)}.")
    setup = "".join(f"{part}\n" for part in parts[:first])
    return setup, tuple(parts[first:])
