from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.tasks.syntax import (
    bound_names,
    find_definition,
    free_names,
    longest_prefix,
    normal_newlines,
    parse_error,
    parse_source,
    split_lines,
)
from tests.unit.tasks.answers import ANSWERS

SOURCES = [answer.task.prompt + answer.completion for answer in ANSWERS]
PIECES = [
    "\n",
    "(",
    ")",
    '"""',
    "'",
    ":",
    "    ",
    "\t",
    "\\",
    "#",
    "else",
    "return x",
    "@a",
    "\0",
    ",",
]


@st.composite
def damaged(draw):
    """A program with pieces cut out and pieces put in."""
    source = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(source)))
        end = draw(st.integers(at, min(len(source), at + 12)))
        source = source[:at] + draw(st.sampled_from(["", *PIECES])) + source[end:]
    return source


@settings(max_examples=200, deadline=None, derandomize=True)
@given(damaged(), st.sampled_from(["", "x = 1\n", "def f(x):\n"]))
def test_the_longest_prefix_is_what_trying_every_prefix_finds(source, head):
    lines = split_lines(source)
    fitting = [
        count
        for count in range(len(lines) + 1)
        if parse_error(head + "".join(lines[:count])) is None
    ]
    assert longest_prefix(head, lines) == max(fitting, default=None)


@given(st.text(alphabet="ab\n\r\f\v\x1c\u2028"))
def test_lines_are_pythons(text):
    text = normal_newlines(text)
    assert "".join(split_lines(text)) == text
    assert all(line.count("\n") <= 1 for line in split_lines(text))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\nreturn x\n", 2),
        ("x = 1\n'\0'\n", 2),
        ("x = '\ud800'\n", 1),
        ("x = 1\ny = " + "-" * 100_000 + "1\n", 2),
        ("x = 1\ny = " + "(" * 500 + "\n", 2),
        ("x = 1\nfrom __future__ import annotations\n", 2),
        ("def f(:\n", 1),
    ],
)
def test_an_error_tells_its_line(source, line):
    error = parse_error(source)
    assert error is not None
    assert error.lineno == line
    assert parse_source(source) is None


def test_an_invalid_escape_is_no_error():
    assert parse_error("x = '\\d'\n") is None
    assert parse_source("x = '\\d'\n") is not None


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ("def f(): return 1\n", 0),
        ("async def f(): return 1\n", 0),
        ("import os\nclass f:\n    x = 1\n", 1),
        ("f = lambda: 1\n", 0),
        ("f: object = lambda: 1\n", 0),
        ("from math import gcd as f\n", 0),
        ("try:\n    from m import f\nexcept ImportError:\n    def f(): return 1\n", 0),
        ("if True:\n    pass\nelse:\n    def f(): return 1\n", 0),
        ("def f():\n    '''Doc.'''\ndef f(): return 1\n", 1),
        ("def f(): ...\ndef f(): return 1\n", 1),
        ("def f(): pass\n", None),
        ("def f():\n    raise NotImplementedError('later')\n", None),
        ("def f():\n    raise ValueError\n", 0),
        ("class A:\n    def f(self): return 1\n", None),
        ("def g():\n    def f(): return 1\n", None),
        ("f.x = 1\n", None),
    ],
)
def test_a_definition_has_a_body(source, index):
    assert find_definition(ast.parse(source), "f") == index


def test_a_definition_above_the_line_does_not_count():
    tree = ast.parse("def f(): return 1\ndef f(): return 2\n")
    assert find_definition(tree, "f", from_line=2) == 1
    assert find_definition(tree, "f", from_line=3) is None


@pytest.mark.parametrize(
    ("source", "free", "bound"),
    [
        ("def f(a, *b, c=d, **e):\n    return a + b + c + e + g\n", {"d", "g"}, {"f"}),
        ("def f():\n    x = 1\n    return x\n", set(), {"f"}),
        ("def f():\n    global x\n    x = y\n", {"x", "y"}, {"f"}),
        ("def f():\n    def g(): return f, h\n    return g\n", {"f", "h"}, {"f"}),
        ("f = lambda x: x + y\n", {"f", "y"}, {"f"}),
        ("@deco\ndef f(x: T) -> R: pass\n", {"deco", "T", "R"}, {"f"}),
        ("import a.b\nimport c as d\nfrom e import f as g\n", set(), {"a", "d", "g"}),
        ("try: pass\nexcept E as e: pass\n", {"E"}, {"e"}),
        ("match v:\n    case [x, *y]: pass\n", {"v"}, {"x", "y"}),
    ],
)
def test_names_that_a_statement_takes_and_gives(source, free, bound):
    tree = ast.parse(source)
    assert free_names(tree) == free
    assert bound_names(tree.body) == bound


def test_deep_trees_do_not_exhaust_the_stack():
    node: ast.expr = ast.Name("y", ast.Load())
    for _ in range(3000):
        node = ast.UnaryOp(ast.USub(), node)
    assert free_names(node) == {"y"}


def test_what_compiles_may_be_too_deep_for_a_tree():
    for terms in (500, 2000, 4000, 9000):
        parse_source("x = " + " + ".join(["y"] * terms))
