from __future__ import annotations

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import asserts
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.trial import FAILED

CHECK = """
def check(candidate):
    for value in range(3):
        try:
            assert candidate(value) == value, "message %d" % value
        finally:
            pass
"""
SEEN = {
    "==": ("assert f(1) == 3", "1 == 3"),
    "!=": ("assert f(1) != 1", "1 != 1"),
    "in": ("assert f(4) in [1, 2]", "4 in [1, 2]"),
    "not in": ("assert f(1) not in {1}", "1 not in {1}"),
    "is": ("assert f(1) is None", "1 is None"),
    "is not": ("assert f(None) is not None", "None is not None"),
    "not": ("assert not f([0])", "not [0]"),
    "a chain": ("assert 0 < f(9) < 5 < f(7)", "9 < 5"),
    "the second of two": ("assert f(1) == 1 and f(2) == 3", "2 == 3"),
    "close floats": ("assert abs(f(1.5) - 1) < 1e-6", "0.5 < 1e-06"),
    "a call": ("assert all(x for x in f([1, 0]))", "False"),
    "a name": ("x = f('')\nassert x", "''"),
    "in a loop": ("for x in (1, 2):\n    if x:\n        assert f(x) == 1", "2 == 1"),
    "in a match": ("match f(2):\n    case 2:\n        assert f(3) == 2", "3 == 2"),
    "after an except": ("try:\n    f.x\nexcept Exception:\n    assert f(3) == 2", "3 == 2"),
    "HumanEval's check": (CHECK + "check(lambda x: min(x, 1))", "1 == 2"),
    "a long list": ("assert f([7] * 5000) == []", None),
    "a huge integer": ("assert f(10 ** 5000) == 1", "<int of 16610 bits> == 1"),
    "a lone surrogate": ("assert f('\\ud800') == ''", "'\\ud800' == ''"),
    "a broken repr": (
        "class R:\n    def __repr__(self): raise SystemExit\nassert f(1) == R()",
        "1 == <R whose repr raised SystemExit>",
    ),
}


IDENTITY = "def f(x): return x"


@pytest.fixture
def failure_of(run_strongest):
    def failure_of(test, program=IDENTITY, **given):
        outcome = run_strongest(program, test, entry_point="f", limits=Limits(), **given)
        assert outcome.kind in ("assertion", "exception"), outcome
        return outcome.failure

    return failure_of


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("test", "explanation"), SEEN.values(), ids=SEEN)
def test_a_failed_assert_shows_its_values(failure_of, test, explanation, together):
    failure = failure_of(test, together=together)
    assert len(failure.left) < 2100
    if explanation is not None:
        assert failure.explanation == explanation


REASONS = {
    "assert f(1) == 2": "assert 1 == 2",
    "assert f(1) == 2, 'message'": "assert 1 == 2",
    "assert not f(1)": "assert not 1",
    "assert isinstance(f(1), str)": "assert isinstance(f(1), str), which is False",
}


@pytest.mark.parametrize(("test", "reason"), REASONS.items(), ids=REASONS)
def test_the_reason_is_the_assert_with_its_values(run_strongest, test, reason):
    assert run_strongest(IDENTITY, test).reason == reason


def test_the_failed_assert_is_found_in_its_source(failure_of):
    failure = failure_of("x = 1\n\nassert f(  # é\n  'é'\n) == x; y = 2\n")
    assert failure.assertion == "assert f(  # é\n  'é'\n) == x"
    assert (failure.where, failure.test, failure.line) == ("test", 0, 3)
    assert failure.exception == "AssertionError"


def test_the_failed_assert_is_found_among_several_tests(run_strongest):
    tests = ["assert f(1) == 1\nassert f(2) == 2", "assert True\nassert f(3) == 4"]
    failure = run_strongest(IDENTITY, *tests).failure
    assert (failure.test, failure.line, failure.assertion) == (1, 2, "assert f(3) == 4")


def test_the_assert_that_called_a_raising_program_is_found(failure_of):
    failure = failure_of(CHECK + "check(f)", "def f(x):\n    return 1 / (1 - x)")
    assert failure.assertion == 'assert candidate(value) == value, "message %d" % value'
    assert failure.exception == "AssertionError: message 0"


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_the_programs_own_frames_are_told(failure_of, together):
    program = "def g(x):\n    return 1 / x\n\ndef f(x):\n    return g(x)"
    raised = failure_of("g = 1\nassert f(0) == 0", program, together=together)
    if not together:
        assert (raised.assertion, raised.program_line) == ("assert f(0) == 0", 2)
        assert raised.frames == ((5, "f"), (2, "g"))
        assert raised.exception == "ZeroDivisionError: division by zero"
    raised = failure_of("x = 1\nassert f(0) == 0", program, together=together)
    assert (raised.assertion, raised.program_line) == ("assert f(0) == 0", 2)
    assert raised.frames == ((5, "f"), (2, "g"))


def test_a_test_that_catches_its_own_assertion_passes(run_strongest):
    test = "try:\n    assert f(1) == 2\nexcept AssertionError as e:\n    assert e.args == ()"
    assert run_strongest(IDENTITY, test).passed


def test_spans_are_numbered_from_first_on():
    spans = [None, None]
    code = compiled("assert n(0)\nassert n(1)", spans, first=5)
    numbers = []
    with pytest.raises(ZeroDivisionError):
        exec(code, {"n": bool, FAILED: lambda span, *_: numbers.append(span) or 1 / 0})
    assert numbers == [7]
    assert [(span.first, span.last) for span in spans[2:]] == [(1, 1), (2, 2)]


def compiled(source, spans, first=0):
    tree = ast.parse(source)
    asserts.rewrite(tree, spans, first=first)
    return compile(tree, "<test>", "exec")


def rewritten(source):
    return compiled(source, [])


def trace_of(code):
    """Run with operands that note when they are touched, and say how it ended."""
    touched = []

    def note(value):
        touched.append(value)
        return value

    names = {"n": note, FAILED: lambda *given: AssertionError(*given[4:])}
    try:
        exec(code, names)
    except Exception as error:
        return touched, type(error), str(error)
    return touched, {name for name in names if name.startswith("@") and name != FAILED}


operands = st.sampled_from(["0", "1", "2", "'a'", "[]", "[1]", "None", "(1, 'a')"])
atoms = operands.map("n({})".format)
operators = st.sampled_from([*asserts.SYMBOLS.values()])
chains = st.lists(st.tuples(operators, atoms), min_size=1, max_size=3)
comparisons = st.builds(lambda a, c: " ".join([a, *(f"{o} {b}" for o, b in c)]), atoms, chains)
conditions = st.recursive(
    atoms | comparisons,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("({}) == ({})".format, inner, inner),
        st.builds("({0}) if ({1}) else ({0})".format, inner, inner),
    ),
    max_leaves=6,
)


@given(conditions, st.sampled_from(["", ", n('message')"]))
@example("n(1) < n('a') < n(2)", "")
@example("n(1) == n(2) == n(3)", "")
def test_rewriting_changes_neither_the_end_nor_what_is_evaluated(condition, message):
    source = f"assert {condition}{message}"
    expected = trace_of(compile(source, "<test>", "exec"))
    assert trace_of(rewritten(source)) == expected


def test_rewriting_leaves_no_name_behind():
    assert trace_of(rewritten("assert n(1) < n(2) < n(3) and not n(0) and n(4)"))[1] == set()
