"""Anchors that are plain tests, found in their source: nothing is imported and nothing runs.

Follows what pytest collects by default: functions ``test*``, also in classes ``Test*`` without a
constructor, and the marks that they get from decorators, from their classes and from
``pytestmark``. A test that takes ``task`` is no anchor, but the runner of the rows.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.syntax import (
    FUNCTIONS,
    normal_newlines,
    parse_error,
    parse_source,
    split_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_MARK = re.compile(r"(\w+\.)*mark\.anchor")
_BLOCKS = (ast.If, ast.Try, ast.TryStar, ast.With, ast.For, ast.While, ast.ExceptHandler)
_HEAD = re.compile(r"\s*(@|def\b|async\b)")
_CONSTRUCTORS = frozenset({"__init__", "__new__"})  # pytest collects no class that has one
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def plain_anchors(source: str, path: str) -> dict[str, str]:
    """Return the digest of each plain anchor's source by its node id, ``path::[Class::]test``.

    The digest is the one that `source_digest` has for the function itself. Raises
    `TaskFileError` with ``path:line`` for a source that does not compile.
    """
    source = normal_newlines(source.removeprefix("\ufeff"))
    tree = parse_source(source)
    if tree is None:
        raise _unparsable(source, path)
    lines = split_lines(source if source.endswith("\n") else f"{source}\n")  # as linecache does
    finder = _Finder(tree)
    return {
        "::".join((path, *names)): _digest(lines, _first_line(function))
        for names, function in finder.anchors(tree.body, (), marked=finder.marks(tree.body))
    }


def source_digest(function: Callable[..., Any]) -> str:
    """Return the sha256 of a function's source as it stands in its file, decorators included.

    What it covers is ``textwrap.dedent(inspect.getsource(function))``. Raises `TaskFileError`
    for a function whose source is in no file.
    """
    function = inspect.unwrap(function)  # what `functools.wraps` left, as `getsource` does
    try:
        lines, _ = inspect.findsource(function)
        return _digest(lines, function.__code__.co_firstlineno)
    except (AttributeError, IndexError, OSError, TypeError) as error:
        name = getattr(function, "__qualname__", repr(function))
        raise TaskFileError(
            f"{name}: its source cannot be read: {error}. An anchor is a function in a file."
        ) from None


def _digest(lines: Sequence[str], first_line: int) -> str:
    first = first_line - 1
    while first > 0 and not _HEAD.match(lines[first]):  # a decorator may begin with a bare "@("
        first -= 1
    text = "".join(inspect.getblock(list(lines[first:])))
    return hashlib.sha256(textwrap.dedent(text).encode()).hexdigest()


def _first_line(function: _Function) -> int:
    """Return the line that the compiler takes for the first: that of the first decorator."""
    return min(node.lineno for node in (function, *function.decorator_list))


def _unparsable(source: str, path: str) -> TaskFileError:
    error = parse_error(source)
    line, why = (error.lineno, error.msg) if error is not None else (1, "it is nested too deeply")
    return TaskFileError(f"{path}:{line}: {why}. Its plain anchors cannot be read: mend the file.")


class _Finder:
    """Looks for anchors in one module, which may have other names for the mark."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: set[str] = set()
        for target, value in _assignments(tree.body):
            if self._is_mark(value):
                self.names.add(target)

    def anchors(
        self, body: Iterable[ast.stmt], classes: tuple[str, ...], *, marked: bool
    ) -> Iterator[tuple[tuple[str, ...], _Function]]:
        """Yield the anchors of a module's or class's body, each with its names from the top."""
        for node in _statements(body):
            own = isinstance(node, (*FUNCTIONS, ast.ClassDef)) and any(
                map(self._is_mark, node.decorator_list)
            )
            if isinstance(node, ast.ClassDef) and _is_collected(node):
                inside = marked or own or self.marks(node.body)
                yield from self.anchors(node.body, (*classes, node.name), marked=inside)
            elif isinstance(node, FUNCTIONS) and (marked or own) and _is_test(node):
                yield (*classes, node.name), node

    def marks(self, body: Iterable[ast.stmt]) -> bool:
        """Say whether ``pytestmark`` of a module or class holds the mark."""
        values = [value for name, value in _assignments(body) if name == "pytestmark"]
        return any(
            self._is_mark(item)
            for value in values
            for item in (value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
        )

    def _is_mark(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            node = node.func
        if isinstance(node, ast.Name):
            return node.id in self.names
        return isinstance(node, ast.Attribute) and bool(_MARK.fullmatch(ast.unparse(node)))


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in _statements(body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Yield the statements that run where a body does, those within ``if`` and ``try`` too."""
    for node in body:
        if isinstance(node, _BLOCKS):
            yield from _statements(ast.iter_child_nodes(node))
        elif isinstance(node, ast.stmt):
            yield node


def _is_collected(node: ast.ClassDef) -> bool:
    for name, value in _assignments(node.body):
        if name == "__test__" and isinstance(value, ast.Constant) and not value.value:
            return False
    defined = {child.name for child in _statements(node.body) if isinstance(child, FUNCTIONS)}
    return node.name.startswith("Test") and not defined & _CONSTRUCTORS


def _is_test(function: _Function) -> bool:
    arguments = function.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return function.name.startswith("test") and all(argument.arg != "task" for argument in named)
