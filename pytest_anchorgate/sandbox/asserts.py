"""Assertions that remember their values. Nothing is evaluated twice or in another order."""

from __future__ import annotations

import ast
from typing import Any

from pytest_anchorgate.sandbox.trial import FAILED

SYMBOLS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


class Span:
    """Where an assertion stands in its source; columns count UTF-8 bytes."""

    def __init__(self, node: ast.Assert) -> None:
        self.first, self.last = node.lineno, node.end_lineno or node.lineno
        self.start, self.end = node.col_offset, node.end_col_offset

    def text(self, source: str) -> str:
        """Return the assertion as written."""
        lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        spanned = [line.encode() for line in lines[self.first - 1 : self.last]]
        spanned[-1] = spanned[-1][: self.end]
        spanned[0] = spanned[0][self.start :]
        return b"\n".join(spanned).decode(errors="replace")


def rewrite(tree: ast.Module, spans: list[Span], *, first: int = 0) -> None:
    """Make every assert in ``tree`` raise what the name FAILED returns for its values.

    FAILED is called as ``(span, operator, left, right[, message])``. ``spans`` grows by one for
    each assert, which are numbered from ``first`` on.
    """
    tree.body = _block(tree.body, spans, first)


def _block(statements: list[ast.stmt], spans: list[Span], first: int) -> list[ast.stmt]:
    written: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Assert):
            spans.append(Span(statement))
            number = first + len(spans) - 1
            written += _Writer(statement, number).condition(statement.test)
        else:
            _descend(statement, spans, first)
            written.append(statement)
    return written


def _descend(node: ast.AST, spans: list[Span], first: int) -> None:
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        if isinstance(statements, list):
            setattr(node, name, _block(statements, spans, first))
    for name in ("handlers", "cases"):
        for branch in getattr(node, name, ()):
            _descend(branch, spans, first)


class _Writer:
    """Writes the statements that stand for one assert."""

    def __init__(self, node: ast.Assert, span: int) -> None:
        self.span = span
        self.message = [node.msg] if node.msg else []
        self.at: dict[str, Any] = {
            "lineno": node.lineno,
            "col_offset": node.col_offset,
            "end_lineno": node.end_lineno,
            "end_col_offset": node.end_col_offset,
        }

    def condition(self, test: ast.expr) -> list[ast.stmt]:
        """Write ``test`` with its operands kept in temporary names while it is decided."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            return [written for part in test.values for written in self.condition(part)]
        if isinstance(test, ast.Compare):
            return self._comparison(test)
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            kept = self._load(0)
            return [self._keep(0, test.operand), self._raise_if(kept, "not", 0), self._drop(1)]
        missing = ast.UnaryOp(op=ast.Not(), operand=self._load(0), **self.at)
        return [self._keep(0, test), self._raise_if(missing, "", 0), self._drop(1)]

    def _comparison(self, test: ast.Compare) -> list[ast.stmt]:
        written: list[ast.stmt] = [self._keep(0, test.left)]
        for k, (operator, operand) in enumerate(zip(test.ops, test.comparators, strict=True)):
            written.append(self._keep(k + 1, operand))
            pair = ast.Compare(
                left=self._load(k), ops=[operator], comparators=[self._load(k + 1)], **self.at
            )
            missing = ast.UnaryOp(op=ast.Not(), operand=pair, **self.at)
            written.append(self._raise_if(missing, SYMBOLS[type(operator)], k, k + 1))
        return [*written, self._drop(len(test.ops) + 1)]

    def _raise_if(self, broken: ast.expr, operator: str, *kept: int) -> ast.stmt:
        values = [self._load(k) for k in kept]
        none = [ast.Constant(value=None, **self.at)] * (2 - len(values))
        known = [ast.Constant(value=value, **self.at) for value in (self.span, operator)]
        failed = ast.Call(
            func=ast.Name(id=FAILED, ctx=ast.Load(), **self.at),
            args=[*known, *values, *none, *self.message],
            keywords=[],
            **self.at,
        )
        raised = ast.Raise(exc=failed, cause=None, **self.at)
        return ast.If(test=broken, body=[raised], orelse=[], **self.at)

    def _keep(self, k: int, value: ast.expr) -> ast.stmt:
        name = ast.Name(id=f"@{k}", ctx=ast.Store(), **self.at)
        return ast.Assign(targets=[name], value=value, type_comment=None, **self.at)

    def _load(self, k: int) -> ast.expr:
        return ast.Name(id=f"@{k}", ctx=ast.Load(), **self.at)

    def _drop(self, count: int) -> ast.stmt:
        names: list[ast.expr] = [
            ast.Name(id=f"@{k}", ctx=ast.Del(), **self.at) for k in range(count)
        ]
        return ast.Delete(targets=names, **self.at)
