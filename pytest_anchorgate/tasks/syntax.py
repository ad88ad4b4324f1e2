"""Questions about Python source: does it parse, how far, and what does it define.

Nothing here runs the source, and nothing here knows of tasks or prompts.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from pytest_anchorgate.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_TOO_DEEP = (RecursionError, MemoryError)  # what CPython's parser raises on deep nesting

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
_BLOCKS = (ast.If, ast.Try, ast.With)


def parse_source(source: str) -> ast.Module | None:
    """Return the tree of a source that compiles, else None."""
    if parse_error(source) is not None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse(source)
    except _TOO_DEEP:  # what compiles may still be too deep for a tree of Python objects
        return None


def parse_error(source: str) -> SyntaxError | None:
    """Return why, and at which line, a source does not compile; None if it does.

    Compiling finds more than parsing: a `return` outside a function, a misplaced
    ``from __future__``. Whatever else the compiler raises comes back as a `SyntaxError` too.
    """
    if match := _UNREADABLE.search(source):
        line = source.count("\n", 0, match.start()) + 1
        return SyntaxError("a null byte or half a surrogate pair", ("", line, None, None))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape warns, and may be set to raise
            compile(source, "<completion>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, OverflowError, *_TOO_DEEP) as error:
        # No line is told: deep nesting that a model emits sits on one long line.
        lines = source.split("\n")
        longest = max(range(len(lines)), key=lambda index: len(lines[index]))
        why = str(error) or type(error).__name__
        return SyntaxError(why, ("", longest + 1, None, None))
    return None


def normal_newlines(text: str) -> str:
    """Return the text with the line ends that Python itself would read."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_lines(text: str) -> list[str]:
    """Split after each newline and nowhere else, which is how Python counts lines."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def longest_prefix(head: str, lines: Sequence[str]) -> int | None:
    """Return how many whole lines may follow ``head`` for all to compile; None: not even none.

    The parser reads from left to right, so when a text fails at line L, every prefix that
    holds line L fails too: the next to try ends before it.
    """
    head_lines = head.count("\n")
    count = len(lines)
    while (error := parse_error(head + "".join(lines[:count]))) is not None:
        if count == 0:
            return None
        count = min(count - 1, max(0, (error.lineno or 0) - 1 - head_lines))
    return count


def find_definition(tree: ast.Module, name: str, *, from_line: int = 1) -> int | None:
    """Return the index of the first statement that gives ``name`` a body of its own.

    A stub (docstring, pass, ..., NotImplementedError) is no definition, and neither is one
    that ends above ``from_line``.
    """
    for index, statement in enumerate(tree.body):
        if (statement.end_lineno or 0) >= from_line and _defines(statement, name):
            return index
    return None


def _defines(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, DEFINITIONS):
        return statement.name == name and not _is_stub(statement)
    if isinstance(statement, _BLOCKS):
        inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
        handlers = [node for node in ast.walk(statement) if isinstance(node, ast.ExceptHandler)]
        inner += [node for handler in handlers for node in handler.body]
        return any(_defines(node, name) for node in inner)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom):
        return name in bound_names([statement])
    return False


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return all(_is_empty(statement) for statement in node.body)


def _is_empty(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        return "NotImplementedError" in used_names(statement.exc)
    return isinstance(statement, ast.Pass)


def used_names(node: ast.AST) -> set[str]:
    """Return every name that occurs as a variable anywhere below the node."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def bound_names(statements: Iterable[ast.AST]) -> set[str]:
    """Return the names that statements bind in their own scope, not inside functions."""
    names: set[str] = set()
    todo = list(statements)
    while todo:
        node = todo.pop()
        if isinstance(node, DEFINITIONS):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        todo.extend(ast.iter_child_nodes(node))
    return names


def free_names(node: ast.AST) -> set[str]:
    """Return the names that a node takes from the module around it, builtins among them."""
    try:
        return _free_names(node)
    except RecursionError:  # a sum of a thousand terms is a thousand levels deep
        return used_names(node)


def _free_names(node: ast.AST) -> set[str]:
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        return _free_in_function(node)
    names = {node.id} if isinstance(node, ast.Name) else set()
    for child in ast.iter_child_nodes(node):
        names |= _free_names(child)
    return names


def _free_in_function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    body = node.body if isinstance(node.body, list) else [node.body]
    own = {child.arg for child in ast.walk(node.args) if isinstance(child, ast.arg)}
    own |= bound_names(body)
    for child in ast.walk(node):
        if isinstance(child, ast.Global):
            own -= set(child.names)
    inside: set[str] = set().union(*map(_free_names, body))
    around = [child for child in ast.iter_child_nodes(node) if child not in body]
    return (inside - own).union(*map(_free_names, around))
