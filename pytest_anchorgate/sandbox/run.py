"""A program and its tests in, an outcome out: the one door of the sandbox.

Knows nothing of tasks, suites and models.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.sandbox.limits import MIB, Limits
from pytest_anchorgate.sandbox.outcome import Failure, Outcome, OutcomeKind
from pytest_anchorgate.sandbox.process import Ending, Exit, run_child
from pytest_anchorgate.sandbox.values import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

REASON_CHARACTERS = 300
STARTED = re.compile(rb"started (\d+\.\d+)\n")
_Reading = tuple[OutcomeKind, str, Failure | None]
CPU_SIGNALS = (signal.SIGPROF, signal.SIGXCPU)


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child says; its text is evidence of nothing until it is read as this."""

    kind: str
    where: str = "program"
    test: int | None = None
    line: int | None = None
    assertion: str = ""
    left: str = ""
    operator: str = ""
    right: str = ""
    exception: str = ""
    program_line: int | None = None

    def failure(self) -> Failure:
        """Return where and how the program failed, as far as the report says."""
        said = msgspec.structs.asdict(self)
        del said["kind"]
        return Failure(**said)


def run_program(
    program: str,
    tests: Sequence[str],
    *,
    setup: str = "",
    entry_point: str = "",
    limits: Limits,
) -> Outcome:
    """Run ``program``, then ``setup``, then each test, in one namespace of a fresh process.

    Never raises for what the program does, nor for what our machinery fails to do: that is
    an outcome of kind ERROR. Safe to call from several threads.
    """
    job: dict[str, object] = {
        "program": program,
        "tests": list(tests),
        "setup": setup,
        "entry_point": entry_point,
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_s,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "processes": limits.processes,
    }
    try:
        end = run_child(job, limits=limits)
    except SandboxError as error:
        return Outcome(kind=OutcomeKind.ERROR, reason=one_line(str(error)))
    kind, reason, failure = _read(end, limits, entry_point)
    return Outcome(
        kind=kind,
        reason=one_line(reason),
        failure=failure,
        stdout_tail=end.output.decode(errors="replace"),
        cpu_s=end.cpu_s,
        wall_s=end.wall_s,
    )


def _read(end: Exit, limits: Limits, entry_point: str) -> _Reading:
    """Return kind, reason and failure of a process that is gone."""
    started = STARTED.match(end.report)
    if not started:
        return OutcomeKind.ERROR, _not_started(end), None
    if end.ending is Ending.FLOOD:
        reason = f"printed more than {limits.output_bytes / MIB:g} MiB"
        return OutcomeKind.FAILED, reason, None
    cpu_s = max(end.cpu_s - float(started[1]), 0.0)
    if -end.code in CPU_SIGNALS or cpu_s > limits.cpu_s:
        return OutcomeKind.TIMEOUT, f"used more than {limits.cpu_s:g} s of CPU time", None
    if end.ending is Ending.WALL:
        reason = f"not done after {limits.wall_s:g} s, of which it computed {cpu_s:.1f} s"
        return OutcomeKind.TIMEOUT, reason, None
    report = _parse(end.report[started.end() :])
    if report and (reading := _judged(report, limits, entry_point)):
        return reading
    if end.code < 0:
        return OutcomeKind.CRASHED, f"killed by {_signal_name(-end.code)}", None
    reason = f"ended without a verdict, with exit status {end.code}"
    return OutcomeKind.FAILED, reason, None


def _not_started(end: Exit) -> str:
    last = end.output.decode(errors="replace").strip().rpartition("\n")[2]
    return f"sandbox: the interpreter did not start (exit status {end.code}): {last or 'no output'}"


def _parse(line: bytes) -> Report | None:
    """Return the report, or nothing when this is not exactly one."""
    if line.count(b"\n") != 1:
        return None
    try:
        return msgspec.json.decode(line, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _judged(report: Report, limits: Limits, entry_point: str) -> _Reading | None:
    """Return what a report says, or nothing for a kind that we never write."""
    failure = report.failure()
    match report.kind:
        case "passed":
            return OutcomeKind.PASSED, "", None
        case "failed":
            return OutcomeKind.FAILED, _failed(failure), failure
        case "syntax":
            return OutcomeKind.FAILED, f"does not compile: {report.exception}", failure
        case "missing":
            return OutcomeKind.FAILED, f"does not define {entry_point!r}", None
        case "exit":
            reason = f"ended without a verdict: {report.exception}"
            return OutcomeKind.FAILED, reason, failure
        case "memory":
            reason = f"needed more than {limits.memory_bytes / MIB:g} MiB of memory"
            return OutcomeKind.MEMORY, reason, failure
        case "tests":
            reason = f"the task's own tests do not compile: {report.exception}"
            return OutcomeKind.ERROR, reason, None
    return None


def _failed(failure: Failure) -> str:
    if failure.operator:
        return f"assert {failure.explanation}"
    if failure.left:
        return f"{failure.assertion}, which is {failure.left}"
    if failure.program_line is None:
        return failure.exception
    return f"{failure.exception} (program line {failure.program_line})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def one_line(text: str) -> str:
    """Return ``text`` on one line, its control characters escaped, cut at its end when long."""
    joined = escape(" ".join(text.split()))
    if len(joined) <= REASON_CHARACTERS:
        return joined
    return joined[: REASON_CHARACTERS - 4] + " ..."
