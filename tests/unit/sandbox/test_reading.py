"""What a check means, as a table: from two ends and a report to a kind and its reason."""

from __future__ import annotations

import json
import signal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_anchorgate.sandbox.limits import MIB, Limits
from pytest_anchorgate.sandbox.outcome import Kind, Outcome
from pytest_anchorgate.sandbox.prepare import prepare
from pytest_anchorgate.sandbox.reading import KINDS, REASON_CHARACTERS, End, Ends, Job, read

LIMITS = Limits(cpu_s=2.5, memory_bytes=256 * MIB, output_bytes=3 * MIB)
JOB = Job("", prepare(("assert f(1) == 2\nassert f(3)",), "", "", "f"), "f", False, LIMITS)


def end(why="exited", code=0, cpu_s=0.125, fault=""):
    return End(why=why, code=code, cpu_s=cpu_s, fault=fault)


def ends(report=b'{"kind": "passed"}', **known):
    if not isinstance(report, bytes):
        report = json.dumps(report).encode()
    told = {
        "judge": end(),
        "candidate": end(),
        "report": report,
        "output": b"",
        "flood": False,
        "wall": False,
        "wall_s": 1.5,
    }
    return Ends(**(told | known))


FAILED = {
    "kind": "assertion",
    "where": "test",
    "test": 0,
    "line": 1,
    "span": 0,
    "left": "1",
    "operator": "==",
    "right": "2",
    "exception": "AssertionError",
}
FALSE = FAILED | {"operator": "", "right": "", "left": "0", "span": 1, "line": 2}
RAISED = {"kind": "raised", "exception": "ValueError: x", "program_line": 3, "frames": [[3, "f"]]}
GONE = {"kind": "gone"}

TABLE = {
    "passed": (ends(), Kind.PASSED, ""),
    "an assertion": (ends(FAILED), Kind.ASSERTION, "assert 1 == 2"),
    "an assertion of a call": (ends(FALSE), Kind.ASSERTION, "assert f(3), which is 0"),
    "an assertion of not": (
        ends(FAILED | {"operator": "not", "right": ""}),
        Kind.ASSERTION,
        "assert not 1",
    ),
    "an exception": (ends(RAISED), Kind.EXCEPTION, "ValueError: x (program line 3)"),
    "an exception of a test": (
        ends({"kind": "raised", "exception": "NameError: y"}),
        Kind.EXCEPTION,
        "NameError: y",
    ),
    "syntax": (
        ends({"kind": "syntax", "exception": "SyntaxError: z"}),
        Kind.SYNTAX,
        "does not compile: SyntaxError: z",
    ),
    "missing": (ends({"kind": "missing"}), Kind.MISSING, "does not define 'f'"),
    "not plain": (
        ends({"kind": "odd", "exception": "Widget"}),
        Kind.NOT_PLAIN,
        "returned what is not plain data: Widget",
    ),
    "an exit": (
        ends({"kind": "exit", "exception": "SystemExit: 3"}),
        Kind.EXIT,
        "ended without a verdict: SystemExit: 3",
    ),
    "memory": (
        ends({"kind": "memory", "exception": "MemoryError"}),
        Kind.MEMORY,
        "needed more than 256 MiB of memory",
    ),
    "protocol": (
        ends({"kind": "protocol", "exception": "it began with 'x'"}),
        Kind.PROTOCOL,
        "broke the judge's protocol: it began with 'x'",
    ),
    "a prompt that does not run": (
        ends({"kind": "prompt", "exception": "NameError: a"}),
        Kind.ERROR,
        "the task's own prompt does not run: NameError: a",
    ),
    "an argument that is not plain": (
        ends({"kind": "cannot", "exception": "function"}),
        Kind.ERROR,
        'sandbox: a test hands over a function, which is not plain data. Give the task "together": '
        "true.",
    ),
    "gone by itself": (
        ends(GONE, candidate=end(code=3)),
        Kind.EXIT,
        "ended without a verdict, with exit status 3",
    ),
    "gone by a signal": (ends(GONE, candidate=end(code=-11)), Kind.SIGNAL, "killed by SIGSEGV"),
    "gone by a real-time signal": (
        ends(GONE, candidate=end(code=-40)),
        Kind.SIGNAL,
        "killed by signal 40",
    ),
    "gone by a system call": (
        ends(GONE, candidate=end(code=-signal.SIGSYS)),
        Kind.FORBIDDEN,
        "made a forbidden system call",
    ),
    "gone and still there": (
        ends(GONE, candidate=end("stopped", -9)),
        Kind.PROTOCOL,
        "closed its channel to the judge",
    ),
    "CPU time": (
        ends(b"", candidate=end("cpu", -9, 2.6)),
        Kind.CPU,
        "used more than 2.5 s of CPU time",
    ),
    "CPU time by the kernel": (
        ends(GONE, candidate=end(code=-signal.SIGXCPU)),
        Kind.CPU,
        "used more than 2.5 s of CPU time",
    ),
    "CPU time of children": (
        ends(candidate=end(cpu_s=2.51)),
        Kind.CPU,
        "used more than 2.5 s of CPU time",
    ),
    "CPU time up to the limit": (ends(candidate=end(cpu_s=2.5)), Kind.PASSED, ""),
    "CPU time of the tests": (
        ends(b"", judge=end("cpu", -9)),
        Kind.CPU,
        "its tests used more than 2.5 s of CPU time on what it returned",
    ),
    "the wall clock": (
        ends(b"", wall=True, candidate=end("stopped", -9, 0.25)),
        Kind.WALL,
        "not done after 12.5 s, of which it computed 0.2 s",
    ),
    "a flood": (
        ends(b"", flood=True, candidate=end("stopped", -9)),
        Kind.FLOOD,
        "printed more than 3 MiB",
    ),
    "a flood of a passing program": (ends(flood=True), Kind.FLOOD, "printed more than 3 MiB"),
    "a flood at the end of its time": (
        ends(flood=True, wall=True, candidate=end("cpu")),
        Kind.FLOOD,
        "printed more than 3 MiB",
    ),
    "CPU time and the wall clock": (
        ends(b"", wall=True, candidate=end("cpu", -9, 3.0)),
        Kind.CPU,
        "used more than 2.5 s of CPU time",
    ),
    "passed too late": (
        ends(wall=True),
        Kind.WALL,
        "not done after 12.5 s, of which it computed 0.1 s",
    ),
    "passed and then killed": (ends(candidate=end("stopped", -9)), Kind.PASSED, ""),
    "passed and then crashed": (ends(candidate=end(code=-11)), Kind.PASSED, ""),
    "a judge that died": (
        ends(b"", judge=end(code=-9)),
        Kind.ERROR,
        "sandbox: the judge ended without a report (SIGKILL)",
    ),
    "a judge that said nothing": (
        ends(b"", judge=end(code=1)),
        Kind.ERROR,
        "sandbox: the judge ended without a report (exit status 1)",
    ),
    "half a report": (
        ends(b'{"kind": "pass'),
        Kind.ERROR,
        "sandbox: the judge ended without a report (exit status 0)",
    ),
    "two reports": (
        ends(b'{"kind": "passed"}\n{"kind": "passed"}'),
        Kind.ERROR,
        "sandbox: the judge ended without a report (exit status 0)",
    ),
    "a report of unknown fields": (
        ends({"kind": "passed", "x": 1}),
        Kind.ERROR,
        "sandbox: the judge ended without a report (exit status 0)",
    ),
    "a candidate that was not confined": (
        ends(GONE, candidate=end("refused", 1, fault="OSError: [Errno 1] pivot_root")),
        Kind.ERROR,
        "sandbox: a process could not be confined: OSError: [Errno 1] pivot_root",
    ),
    "a judge that was not confined": (
        ends(b"", judge=end("refused", 1, fault="MemoryError: ")),
        Kind.ERROR,
        "sandbox: a process could not be confined: MemoryError:",
    ),
    "not confined and out of time": (
        ends(b"", wall=True, flood=True, judge=end("cpu", fault="OSError: x")),
        Kind.ERROR,
        "sandbox: a process could not be confined: OSError: x",
    ),
}


@pytest.mark.parametrize(("ends", "kind", "reason"), TABLE.values(), ids=TABLE)
def test_a_check_means_one_thing(ends, kind, reason):
    outcome = read(ends, JOB)
    assert (outcome.kind, outcome.reason) == (kind, reason)
    assert outcome.passed is (kind is Kind.PASSED)


def test_every_kind_and_every_report_has_its_row():
    assert {kind for _, kind, _ in TABLE.values()} == set(Kind)
    told = {
        json.loads(ends.report)["kind"]
        for ends, _, _ in TABLE.values()
        if ends.report[-1:] == b"}" and b"\n" not in ends.report
    }
    assert set(KINDS) <= told


FAILING = {"an assertion", "an exception", "syntax", "an exit", "memory"}


def test_a_failure_is_told_where_the_program_failed():
    told = {name: read(ends, JOB).failure for name, (ends, _, _) in TABLE.items()}
    assert {name for name in FAILING if told[name] is None} == set()
    for name in ("passed", "missing", "not plain", "CPU time", "a judge that died", "protocol"):
        assert told[name] is None
    assert told["an assertion"].assertion == "assert f(1) == 2"
    assert told["an assertion"].explanation == "1 == 2"
    assert told["an exception"].frames == ((3, "f"),)


def test_times_and_output_are_kept():
    known = ends(output=b"\xff\x1b[31mtail", candidate=end(cpu_s=0.5), judge=end(cpu_s=2.0))
    outcome = read(known, JOB)
    assert outcome == Outcome(
        kind=Kind.PASSED, stdout_tail="\ufffd\x1b[31mtail", cpu_s=0.5, wall_s=1.5
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
REPORTS = st.fixed_dictionaries(
    {"kind": st.sampled_from([*KINDS, "gone"])},
    optional={
        "where": st.text(max_size=5) | JSON_VALUES,
        "test": st.none() | st.integers() | JSON_VALUES,
        "line": st.none() | st.integers() | JSON_VALUES,
        "span": st.none() | st.integers() | JSON_VALUES,
        "left": st.text(max_size=400),
        "operator": st.sampled_from(["", "not", "=="]) | st.text(max_size=5),
        "right": st.text(max_size=400),
        "exception": st.text(max_size=400) | JSON_VALUES,
        "program_line": st.none() | st.integers() | JSON_VALUES,
        "frames": st.lists(st.tuples(st.integers(), st.text(max_size=3))) | JSON_VALUES,
    },
)
LINES = st.one_of(
    st.binary(max_size=40),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    REPORTS.map(lambda value: json.dumps(value).encode()),
)
SOME_END = st.builds(
    End,
    why=st.sampled_from(["exited", "cpu", "stopped", "refused"]),
    code=st.integers(-64, 255),
    cpu_s=st.floats(0, 10),
    fault=st.sampled_from(["", "OSError: x"]),
)


@given(
    st.builds(
        Ends,
        judge=SOME_END,
        candidate=SOME_END,
        report=LINES,
        output=st.binary(max_size=9),
        flood=st.booleans(),
        wall=st.booleans(),
        wall_s=st.floats(0, 100),
    )
)
@example(ends(b"[" * 100_000))
@example(ends(b'{"frames":' + b"[" * 100_000))
@example(ends(b'{"kind":"passed","line":' + b"9" * 400 + b"}"))
@example(ends(b'{"kind":"raised","exception":"\\ud800"}'))
@example(ends(b'{"kind":"passed"}\xff'))
@example(ends(b'{"kind":"assertion"}'))
def test_no_report_breaks_the_reading_and_only_a_pass_is_one(known):
    outcome = read(known, JOB)
    assert len(outcome.reason) <= REASON_CHARACTERS
    assert outcome.reason.isprintable()
    assert (outcome.reason == "") is outcome.passed
    if outcome.passed:
        assert json.loads(known.report)["kind"] == "passed"
        assert not known.flood
        assert not known.wall
        assert not known.judge.fault
        assert not known.candidate.fault
        assert known.candidate.cpu_s <= LIMITS.cpu_s
        assert "cpu" not in (known.judge.why, known.candidate.why)
