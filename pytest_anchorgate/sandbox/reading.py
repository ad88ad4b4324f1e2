"""From the ends of a judge and a candidate to an outcome. Knows nothing of processes."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.sandbox.limits import MIB
from pytest_anchorgate.sandbox.outcome import Failure, Kind, Outcome
from pytest_anchorgate.sandbox.values import escape

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.limits import Limits
    from pytest_anchorgate.sandbox.prepare import Prepared

REASON_CHARACTERS = 300
_Reading = tuple[Kind, str]
KINDS = {
    "passed": Kind.PASSED,
    "assertion": Kind.ASSERTION,
    "raised": Kind.EXCEPTION,
    "syntax": Kind.SYNTAX,
    "missing": Kind.MISSING,
    "odd": Kind.NOT_PLAIN,
    "exit": Kind.EXIT,
    "memory": Kind.MEMORY,
    "protocol": Kind.PROTOCOL,
    "prompt": Kind.ERROR,
    "cannot": Kind.ERROR,
}

WITH_FAILURE = {Kind.ASSERTION, Kind.EXCEPTION, Kind.SYNTAX, Kind.EXIT, Kind.MEMORY}


@dataclass(frozen=True, slots=True)
class Job:
    """One check as it was asked for."""

    program: str
    prepared: Prepared
    entry_point: str
    together: bool
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one process ended, as the server says that forked it."""

    why: str  # "exited", "cpu" or "stopped"
    code: int  # negative: the number of the signal that killed it
    cpu_s: float
    fault: str  # why it could not be confined; nothing ran then


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """All that is known of a check whose processes are gone."""

    judge: End
    candidate: End
    report: bytes
    output: bytes  # its end
    flood: bool
    wall: bool
    wall_s: float


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a judge says."""

    kind: str
    where: str = "program"
    test: int | None = None
    line: int | None = None
    span: int | None = None
    left: str = ""
    operator: str = ""
    right: str = ""
    exception: str = ""
    program_line: int | None = None
    frames: tuple[tuple[int, str], ...] = ()

    def failure(self, prepared: Prepared) -> Failure:
        """Return where and how the program failed, as far as the report says."""
        said = msgspec.structs.asdict(self)
        del said["kind"]
        span = said.pop("span")
        return Failure(assertion=prepared.assertion(span, self.test, self.line), **said)


def read(ends: Ends, job: Job) -> Outcome:
    """Return what a check means."""
    report = _parse(ends.report)
    kind, reason = _kind(ends, report, job)
    told = report is not None and kind is KINDS.get(report.kind) and kind in WITH_FAILURE
    return Outcome(
        kind=kind,
        reason=one_line(reason),
        failure=report.failure(job.prepared) if report and told else None,
        stdout_tail=ends.output.decode(errors="replace"),
        cpu_s=ends.candidate.cpu_s,
        wall_s=ends.wall_s,
    )


def _parse(line: bytes) -> Report | None:
    try:
        return msgspec.json.decode(line, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _kind(ends: Ends, report: Report | None, job: Job) -> _Reading:
    limits = job.limits
    for end in (ends.candidate, ends.judge):
        if end.fault:
            return Kind.ERROR, f"sandbox: a process could not be confined: {end.fault}"
    if ends.flood:
        return Kind.FLOOD, f"printed more than {limits.output_bytes / MIB:g} MiB"
    if (exhausted := _exhausted(ends, limits)) is not None:
        return exhausted
    if report is None:
        return _judge_died(ends.judge)
    if report.kind == "gone":
        return _candidate_died(ends.candidate)
    kind = KINDS.get(report.kind, Kind.ERROR)
    return kind, _reason(kind, report, job)


def _exhausted(ends: Ends, limits: Limits) -> _Reading | None:
    """Return which time ran out, if any did."""
    cpu_s = ends.candidate.cpu_s
    killed = -ends.candidate.code == signal.SIGXCPU
    if ends.candidate.why == "cpu" or killed or cpu_s > limits.cpu_s:
        return Kind.CPU, f"used more than {limits.cpu_s:g} s of CPU time"
    if ends.judge.why == "cpu":
        reason = f"its tests used more than {limits.cpu_s:g} s of CPU time on what it returned"
        return Kind.CPU, reason
    if ends.wall:
        reason = f"not done after {limits.wall_s:g} s, of which it computed {cpu_s:.1f} s"
        return Kind.WALL, reason
    return None


def _judge_died(end: End) -> _Reading:
    how = _signal_name(-end.code) if end.code < 0 else f"exit status {end.code}"
    return Kind.ERROR, f"sandbox: the judge ended without a report ({how})"


def _candidate_died(end: End) -> _Reading:
    if -end.code == signal.SIGSYS:
        return Kind.FORBIDDEN, "made a forbidden system call"
    if end.why == "stopped":
        return Kind.PROTOCOL, "closed its channel to the judge"
    if end.code < 0:
        return Kind.SIGNAL, f"killed by {_signal_name(-end.code)}"
    return Kind.EXIT, f"ended without a verdict, with exit status {end.code}"


def _reason(kind: Kind, report: Report, job: Job) -> str:
    match kind:
        case Kind.PASSED:
            return ""
        case Kind.SYNTAX:
            return f"does not compile: {report.exception}"
        case Kind.MISSING:
            return f"does not define {job.entry_point!r}"
        case Kind.NOT_PLAIN:
            return f"returned what is not plain data: {report.exception}"
        case Kind.EXIT:
            return f"ended without a verdict: {report.exception}"
        case Kind.MEMORY:
            return f"needed more than {job.limits.memory_bytes / MIB:g} MiB of memory"
        case Kind.PROTOCOL:
            return f"broke the judge's protocol: {report.exception}"
        case Kind.ERROR if report.kind == "cannot":
            return (
                f"sandbox: a test hands over a {report.exception}, which is not plain data. Give "
                'the task "together": true.'
            )
        case Kind.ERROR:
            return f"the task's own prompt does not run: {report.exception}"
    return _failed(report.failure(job.prepared))


def _failed(failure: Failure) -> str:
    if failure.operator:
        return f"assert {failure.explanation}"
    if failure.left:
        return f"{failure.assertion}, which is {failure.left}"
    if failure.program_line is None:
        return failure.exception or "failed, and the judge's report does not say how"
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
