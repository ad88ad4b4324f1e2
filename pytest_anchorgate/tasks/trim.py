"""Which statements of a program its entry point needs. Nothing here runs the program.

A model that is not stopped goes on: examples, prints, other functions, asserts. They stand
after the answer and may raise. What stays is what was written up to the answer, and after it
whatever the answer and the tests reach by name.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_anchorgate.tasks.syntax import (
    DEFINITIONS,
    bound_names,
    free_names,
    split_lines,
    used_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SETTINGS = frozenset({"setrecursionlimit", "set_int_max_str_digits", "getcontext", "setcontext"})
_BY_TEXT = frozenset({"eval", "exec", "globals"})  # reach names that no tree shows
_ONCE_ONLY = (*DEFINITIONS, ast.Import, ast.ImportFrom)  # a second one is the model's next answer
_BINDING = (*_ONCE_ONLY, ast.Assign, ast.AnnAssign, ast.AugAssign)


def trim(source: str, tree: ast.Module, entry: int, *, from_line: int, roots: Iterable[str]) -> str:
    """Return the source without the top-level statements that its entry point does not need.

    ``entry`` is the index of the defining statement, ``roots`` are the names that tests use;
    statements above ``from_line`` are the prompt's and stay.
    """
    body = tree.body
    before = [
        node for node in body[:entry] if (node.end_lineno or 0) < from_line or not _is_inert(node)
    ]
    kept = [*before, body[entry]]
    kept += _reached(body[entry + 1 :], kept, set(roots))
    dropped = [node for node in body if node not in kept]
    return _without(source, kept, dropped) if dropped else source


def _reached(
    later: Sequence[ast.stmt], kept: Sequence[ast.stmt], roots: set[str]
) -> list[ast.stmt]:
    """Return the later statements that bind or touch a name in use, found to a fixed point."""
    names = roots.union(*(free_names(node) for node in kept))
    bound = bound_names(kept)
    if any(_BY_TEXT & used_names(node) for node in kept):
        return [node for node in later if isinstance(node, _BINDING)]
    reached: list[ast.stmt] = []
    while True:
        new = [node for node in later if node not in reached and _is_needed(node, names, bound)]
        if not new:
            return reached
        # One at a time: the first of two definitions of a name is the one that stays.
        reached.append(new[0])
        names |= free_names(new[0])
        bound |= bound_names([new[0]])


def _is_needed(node: ast.stmt, names: set[str], bound: set[str]) -> bool:
    if isinstance(node, ast.Assert | ast.Raise):
        return False
    binds = bound_names([node])
    if isinstance(node, _ONCE_ONLY) and binds & bound:
        return bool(_decorator_names(node) & names)
    return bool((binds | _touched(node)) & names) or bool(_attributes(node) & _SETTINGS)


def _touched(node: ast.AST) -> set[str]:
    """Return the names whose values a statement changes or calls a method of."""
    if isinstance(node, DEFINITIONS):
        return _decorator_names(node)
    names: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            names.add(_root(child.func))
        elif isinstance(child, ast.Attribute | ast.Subscript) and not isinstance(
            child.ctx, ast.Load
        ):
            names.add(_root(child))
    return names


def _decorator_names(node: ast.AST) -> set[str]:
    decorators = getattr(node, "decorator_list", ())
    return {_root(item.func if isinstance(item, ast.Call) else item) for item in decorators}


def _root(node: ast.expr) -> str:
    """Return the variable that an attribute or subscript chain begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _attributes(node: ast.AST) -> set[str]:
    """Return the last names of what a statement calls: ``sys.setrecursionlimit(9)``."""
    if isinstance(node, DEFINITIONS):
        return set()
    calls = [child.func for child in ast.walk(node) if isinstance(child, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else _root(call) for call in calls}


def _is_inert(node: ast.stmt) -> bool:
    """Say whether a statement can do nothing but raise: a lone word, a comparison, an assert."""
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant):
        return False
    active = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    return not any(isinstance(child, active) for child in ast.walk(node))


def _without(source: str, kept: Sequence[ast.stmt], dropped: Sequence[ast.stmt]) -> str:
    """Return the source less the lines of the dropped statements that no kept one shares."""
    shared = {line for node in kept for line in line_range(node)}
    gone: set[int] = set()
    for node in dropped:
        if shared.isdisjoint(line_range(node)):
            gone.update(line_range(node))
    lines = enumerate(split_lines(source), start=1)
    return "".join(text for number, text in lines if number not in gone)


def line_range(node: ast.stmt) -> range:
    """Return the numbers of the lines that a statement stands on, decorators included."""
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
    return range(first, (node.end_lineno or node.lineno) + 1)
