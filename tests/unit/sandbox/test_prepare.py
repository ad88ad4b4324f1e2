from __future__ import annotations

import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.sandbox.prepare import free_names, prepare

FREE = {
    "a use": (["f(x)"], {"f", "x"}),
    "a builtin": (["print(len(f))"], {"f"}),
    "an assignment": (["x = 1\nf(x)"], {"f"}),
    "an assignment in another test": (["f(x)", "x = 1"], {"f"}),
    "several targets": (["a, (b, *c) = f()\na, b, c"], {"f"}),
    "an augmented assignment": (["x = 0\nx += y"], {"y"}),
    "a walrus": (["if (n := f()): n"], {"f"}),
    "an annotation": (["x: T = 1"], {"T"}),
    "a loop": (["for i in xs: i"], {"xs"}),
    "a with": (["with a as b: b"], {"a"}),
    "an except": (["try: a\nexcept E as e: e"], {"a", "E"}),
    "a match": (["match a:\n  case {'k': b, **c}: b, c\n  case C(d): d"], {"a", "C"}),
    "an import": (["import math\nmath.pi"], set()),
    "an import of a part": (["import os.path\nos.sep"], set()),
    "an import by another name": (["import math as m\nm, math"], {"math"}),
    "an import of a name": (["from math import pi as p\np"], set()),
    "a function": (["def g(a, *b, c=d, **e): return a, b, c, e, h\ng"], {"d", "h"}),
    "a lambda": (["lambda a, b=c: a + b + d"], {"c", "d"}),
    "a recursive function": (["def g(): return g()"], set()),
    "a nested function": (["def g():\n  x = 1\n  def h(): return x + y\n  return h"], {"y"}),
    "a nonlocal": (["def g():\n  x = 1\n  def h():\n    nonlocal x\n    x = y"], {"y"}),
    "a global": (["def g():\n  global x\n  x = 1\nx"], set()),
    "a global that is read": (["def g():\n  global x\n  return x"], {"x"}),
    "a local of the same name": (["def g():\n  x = 1\n  return x\nx"], {"x"}),
    "a decorator": (["@d\ndef g(): pass"], {"d"}),
    "a class": (
        ["class A(B, metaclass=M):\n  x = y\n  def m(self): return x, self.z"],
        {"B", "M", "y", "x"},
    ),
    "a class body's own names": (["class A:\n  x = 1\n  z = x"], set()),
    "a comprehension": (["[x + y for x in xs if x]"], {"y", "xs"}),
    "a nested comprehension": (["{a: b for a in p for b in a}"], {"p"}),
    "a generator expression": (["sum(x for x in f())"], {"f"}),
    "a deletion": (["x = 1\ndel x"], set()),
    "an attribute": (["a.b.c = d"], {"a", "d"}),
    "a format string": (["f'{a!r:{b}}'"], {"a", "b"}),
    "a keyword": (["f(k=v)"], {"f", "v"}),
    "nothing": ([""], set()),
    "HumanEval's check": (
        ["def check(candidate):\n  assert candidate(1) == helper(1)", "check(f)"],
        {"helper", "f"},
    ),
}


@pytest.mark.parametrize(("sources", "free"), FREE.values(), ids=FREE)
def test_free_names_are_those_that_nothing_defines(sources, free):
    assert free_names(sources) == free


HELPER = "def helper(x):\n    return x * 2\n\n\n"
FIRST = "def f(x):\n    '''Doc.'''\n"
USES = "assert f(2) == helper(2)"
PROMPTS = {
    # prompt, test, what the prompt lends to the tests, what the program is asked for
    "a helper": (HELPER + FIRST, USES, {"helper"}, ("f",)),
    "a helper afterwards": (FIRST + "    return 1\n\n" + HELPER, USES, {"helper"}, ("f",)),
    "a helper that no test uses": (HELPER + FIRST, "assert f(2)", None, ("f",)),
    "an ending in the signature": (HELPER + "def f(x: int,\n", USES, {"helper"}, ("f",)),
    "an ending after the signature": (HELPER + "def f(x):\n", USES, {"helper"}, ("f",)),
    "an ending in the docstring": (HELPER + 'def f(x):\n    """Doc', USES, {"helper"}, ("f",)),
    "an ending in the body": (HELPER + "def f(x):\n    return (", USES, {"helper"}, ("f",)),
    "an import": ("import math\n" + FIRST, "assert f(2) == math.pi", {"math"}, ("f",)),
    "an import of a name": (
        "from math import pi, e\n" + FIRST,
        "assert f(2) == pi",
        {"pi", "e"},
        ("f",),
    ),
    "a constant": ("LIMIT = 3\n" + FIRST, "assert f(2) == LIMIT", {"LIMIT"}, ("f",)),
    "a class": ("class A:\n    x = 1\n" + FIRST, "assert f(A())", {"A"}, ("f",)),
    "the entry point alone": (FIRST, USES, None, ("f", "helper")),
    "no prompt": ("", USES, None, ("f", "helper")),
    "a prompt that is no Python": ("Write a function f!", USES, None, ("f", "helper")),
    "a prompt of comments": ("# f\n", USES, None, ("f", "helper")),
    "a null byte": ("\0" + HELPER, USES, None, ("f", "helper")),
    "an entry point of the tests' own": (HELPER, "def f(x): pass\n" + USES, {"helper"}, ("f",)),
}


@pytest.mark.parametrize(("prompt", "test", "lent", "asked"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_lends_what_tests_use_but_never_the_entry_point(prompt, test, lent, asked):
    prepared = prepare((test,), "", prompt, "f")
    prelude = marshal.loads(prepared.prelude)
    if lent is None:
        assert prelude is None
    else:
        namespace = {}
        exec(prelude, namespace)
        assert set(namespace) - {"__builtins__"} == lent
    assert prepared.asked == asked


def test_without_an_entry_point_a_prompt_lends_all_that_it_defines():
    prepared = prepare(("assert LIMIT == helper(1)",), "", "LIMIT = 2\n" + HELPER, "")
    namespace = {}
    exec(marshal.loads(prepared.prelude), namespace)
    assert {"LIMIT", "helper"} <= set(namespace)
    assert prepared.asked == ()


BROKEN = {
    "syntax": ("assert x ==", "SyntaxError: invalid syntax (<test 0>, line 1)"),
    "a null byte": ("x = '\0'", "SyntaxError: source code string cannot contain null bytes"),
    "a return": ("return 1", "SyntaxError: 'return' outside function (<test 0>, line 1)"),
    "a surrogate": ("x = '\ud800'", "UnicodeEncodeError: 'utf-8' codec can't encode"),
    "an unterminated string": ("x = '", "SyntaxError: unterminated string literal"),
    "deep nesting": ("(" * 300 + ")" * 300, "SyntaxError: too many nested parentheses"),
    "a nonlocal": ("nonlocal x", "SyntaxError: nonlocal declaration not allowed at module level"),
}


@pytest.mark.parametrize(("test", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_tests_are_an_error_that_says_why(test, message):
    with pytest.raises(SandboxError) as caught:
        prepare((test,), "", "", "f")
    assert str(caught.value).startswith(f"the task's own tests do not compile: {message}")


def test_a_broken_setup_is_an_error_that_says_where():
    with pytest.raises(SandboxError) as caught:
        prepare(("x = 1",), "y = 1\ndef :", "", "f")
    message = "the task's own tests do not compile: SyntaxError: invalid syntax (<setup>, line 2)"
    assert str(caught.value) == message
    with pytest.raises(SandboxError, match=r"\(<test 1>, line 1\)$"):
        prepare(("x = 1", "assert x =="), "", "", "f")


def test_a_task_is_prepared_once():
    task = (("assert f(1) == 1",), "x = 1", HELPER, "f")
    assert prepare(*task) is prepare(*task)
    assert prepare(*task) is not prepare(*task[:3], "g")


def test_codes_are_setup_and_tests_in_their_order():
    prepared = prepare(("a = 'one'", "a = 'two'"), "a = 'setup'", "", "")
    codes = marshal.loads(prepared.codes)
    assert [code.co_filename for code in codes] == ["<setup>", "<test 0>", "<test 1>"]
    assert [code.co_consts[0] for code in codes] == ["setup", "one", "two"]


@pytest.mark.parametrize(("test", "needed"), [("import numpy as np", True), ("x = 1", False)])
def test_numpy_is_noted_when_it_is_mentioned(test, needed):
    assert prepare((test,), "", "", "").numpy is needed
    assert prepare((), test, "", "").numpy is needed


TESTS = ("assert f(1) == (\n  2\n)\nx = f(3)", "  # none\nassert x and \\\n  y")
ASSERTIONS = {
    "by its number": ((0, None, None), "assert f(1) == (\n  2\n)"),
    "by its number in another test": ((1, 0, 1), "assert x and \\\n  y"),
    "by a line of it": ((None, 0, 2), "assert f(1) == (\n  2\n)"),
    "by a line that is no assert": ((None, 0, 4), "x = f(3)"),
    "by a line of another test": ((None, 1, 1), "# none"),
    "a number too high": ((7, 0, 4), "x = f(3)"),
    "a negative number": ((-1, 0, 4), "x = f(3)"),
    "a line too high": ((None, 0, 99), ""),
    "line zero": ((None, 0, 0), ""),
    "a negative line": ((None, 0, -1), ""),
    "a test too high": ((None, 2, 1), ""),
    "a negative test": ((None, -1, 1), ""),
    "nothing known": ((None, None, None), ""),
    "no line": ((None, 0, None), ""),
}


@pytest.mark.parametrize(("place", "assertion"), ASSERTIONS.values(), ids=ASSERTIONS)
def test_an_assertion_is_found_wherever_a_report_points(place, assertion):
    assert prepare(TESTS, "", "", "f").assertion(*place) == assertion


@given(*[st.none() | st.integers()] * 3)
def test_no_place_of_a_report_can_break_the_search(span, test, line):
    assert isinstance(prepare(TESTS, "", "", "f").assertion(span, test, line), str)
