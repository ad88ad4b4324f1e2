"""What ``-m`` selects, and whether a gate was asked for. Evaluates markers as pytest does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest.mark.expression import Expression  # -m has no public evaluator

from pytest_anchorgate.option_table import SUITES

if TYPE_CHECKING:
    import argparse

    import pytest


def selects(markexpr: str, suite: str) -> bool:
    """Whether ``-m markexpr`` keeps a test that has the suite's marker and no other."""
    return not markexpr or _evaluate(markexpr, suite)


def _evaluate(markexpr: str, marker: str | None) -> bool:
    def has(name: str, /, **_: str | int | bool | None) -> bool:
        return name == marker

    return Expression.compile(markexpr).evaluate(has)


def suite_marker(node: pytest.Item | pytest.Function) -> pytest.Mark | None:
    """Return the marker that names the suite of a test, if it has one."""
    return next((mark for mark in node.iter_markers() if mark.name in SUITES), None)


def names_suite(markexpr: str) -> bool:
    """Whether ``-m`` asks for a suite: a suite's test is kept where an unmarked one is not."""
    if not markexpr:
        return False
    try:
        return not _evaluate(markexpr, None) and any(selects(markexpr, suite) for suite in SUITES)
    except Exception:  # SyntaxError since pytest 9, a class of its own before
        return False  # pytest itself reports a wrong expression, with its place


def is_gated(option: argparse.Namespace) -> bool:
    """Whether the command line asks for a gate."""
    asked = option.pack or option.surgery or option.gate_completions
    return bool(asked) or names_suite(option.markexpr)
