"""A task's setup and tests, made ready before any process sees them.

Compiled once per task and not per check: their asserts rewritten, and with a note of which names
they take from the program and which from the prompt.
"""

from __future__ import annotations

import ast
import builtins
import functools
import marshal
import symtable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.parsing import parse
from pytest_anchorgate.sandbox import asserts
from pytest_anchorgate.sandbox.trial import PROMPT, SETUP, TEST
from pytest_anchorgate.sandbox.values import render_exception

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

BUILTINS = frozenset(vars(builtins))
PROBLEMS = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a judge needs of a task, and what its report is read with."""

    codes: bytes  # marshalled: the setup's code, then each test's
    prelude: bytes  # marshalled: the code of what the prompt defines for the tests, or None
    asked: tuple[str, ...]  # names that the program has to supply, if it can
    numpy: bool
    tests: tuple[str, ...]
    spans: tuple[tuple[int, asserts.Span], ...]  # each assert with the number of its test

    def assertion(self, span: int | None, test: int | None, line: int | None) -> str:
        """Return the source of a failed assert, or of whatever stands on a test's line."""
        if span is not None and 0 <= span < len(self.spans):
            number, found = self.spans[span]
            return found.text(self.tests[number])
        if test is None or line is None or not 0 <= test < len(self.tests):
            return ""
        source = self.tests[test]
        for number, found in self.spans:
            if number == test and found.first <= line <= found.last:
                return found.text(source)
        lines = source.split("\n")
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""


@functools.lru_cache(maxsize=256)
def prepare(tests: tuple[str, ...], setup: str, prompt: str, entry_point: str) -> Prepared:
    """Return tests that are ready to run.

    :raises SandboxError: when setup or tests are not Python.
    """
    spans: list[tuple[int, asserts.Span]] = []
    codes = [_compiled(setup, SETUP)]
    for number, test in enumerate(tests):
        tree = _parsed(test, f"{TEST}{number}>")
        found: list[asserts.Span] = []
        asserts.rewrite(tree, found, first=len(spans))
        spans += [(number, span) for span in found]
        codes.append(_compiled(tree, f"{TEST}{number}>"))
    wanted = free_names([setup, *tests])
    others = wanted - {entry_point}
    prelude, defined = _prompt_definitions(prompt, entry_point, others) if others else (None, set())
    return Prepared(
        codes=marshal.dumps(codes),
        prelude=marshal.dumps(prelude),
        asked=tuple(sorted((wanted - defined) | ({entry_point} - {""}))),
        numpy=any("numpy" in source for source in (setup, *tests)),
        tests=tests,
        spans=tuple(spans),
    )


def _parsed(source: str, name: str) -> ast.Module:
    try:
        return parse(source, name)
    except PROBLEMS as error:
        raise _broken(error) from None


def _compiled(source: str | ast.Module, name: str) -> CodeType:
    try:
        code: CodeType = compile(source, name, "exec", dont_inherit=True)
    except PROBLEMS as error:
        raise _broken(error) from None
    return code


def _broken(error: BaseException) -> SandboxError:
    return SandboxError(f"the task's own tests do not compile: {render_exception(error)}")


def free_names(sources: Iterable[str]) -> set[str]:
    """Return the names that statements use together and none of them defines."""
    used: set[str] = set()
    defined: set[str] = set()
    for source in sources:
        for name, is_defined in _module_names(symtable.symtable(source, "", "exec")):
            (defined if is_defined else used).add(name)
    return used - defined - BUILTINS


def _module_names(table: symtable.SymbolTable) -> Iterator[tuple[str, bool]]:
    """Yield each name of the module's scope that is mentioned, and whether it is bound there."""
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if outermost or symbol.is_global():
            bound = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            yield symbol.get_name(), bound
    for child in table.get_children():
        yield from _module_names(child)


def _prompt_definitions(
    prompt: str, entry_point: str, wanted: set[str]
) -> tuple[CodeType | None, set[str]]:
    """Return the code of a prompt apart from its entry point, and which names it binds.

    Nothing, when it binds no wanted name. A prompt that ends in the middle is taken as far as it
    is Python.
    """
    tree = _parsed_prompt(prompt)
    tree.body = [node for node in tree.body if getattr(node, "name", None) != entry_point]
    names = _module_names(symtable.symtable(ast.unparse(tree), "", "exec"))
    bound = {name for name, is_bound in names if is_bound}
    if not bound & wanted:
        return None, set()
    return _compiled(tree, PROMPT), bound


def _parsed_prompt(prompt: str) -> ast.Module:
    for ending in ("", "\n    pass\n"):  # a signature whose body is what the model writes
        try:
            return parse(prompt + ending)
        except PROBLEMS:
            continue
    lines = prompt.splitlines()
    while lines:
        lines.pop()
        try:
            return parse("\n".join(lines))
        except PROBLEMS:
            continue
    return ast.Module(body=[], type_ignores=[])
