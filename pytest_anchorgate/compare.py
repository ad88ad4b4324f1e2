"""Two finished gates side by side: what the second lost and gained.

Reads certificates and reports, and decides nothing. Knows nothing of pytest, packs and tasks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pytest_anchorgate.certificate import CertifiedTask, parse_certificate, sorted_tasks
from pytest_anchorgate.errors import CertificateError, UsageError
from pytest_anchorgate.gate import Decision  # noqa: TC001 - msgspec reads it
from pytest_anchorgate.report.suites import Share
from pytest_anchorgate.stats import loss_bound, mcnemar_p, wilson_interval
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_NAME = "Name a certificate, or a report that --gate-json wrote."
_GATE_AGAIN = "Write it again with --gate-json."


class ReportedTask(CertifiedTask, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What a report has of a certified task's fields; ``task`` may be empty for a plain test."""

    task: str


class ReportedPack(msgspec.Struct, frozen=True, kw_only=True):
    """The pack that a report is about."""

    path: str
    sha256: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a ``--gate-json`` report (docs/report.md); given completions have no pack."""

    schema: Literal[2]
    decision: Decision
    pack: ReportedPack | None
    engine: dict[str, Any] | None
    decoding: dict[str, Any] | None
    verifier: str
    tasks: tuple[ReportedTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two: where it was read, what it is, how it was made, its verdicts by case key."""

    where: str
    about: str
    made: Mapping[str, Mapping[str, object]]  # engine, decoding, verification; empty for unknown
    tasks: Mapping[str, CertifiedTask]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteComparison:
    """One suite of both sides; the tuples hold case keys.

    ``a``, ``b``, ``lost``, ``gained`` and the two numbers are about what both sides judged with
    the same text and tests. ``changed`` are the tasks of both that have others.
    """

    name: str
    a: Share
    b: Share
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    mcnemar_p: float | None
    loss_bound: float | None
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that two sides differ in; ``differences`` name what may have made verdicts differ."""

    a: Side
    b: Side
    suites: tuple[SuiteComparison, ...]
    differences: tuple[str, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """The case keys that A solved and B did not."""
        return tuple(key for suite in self.suites for key in suite.lost)

    @property
    def gained(self) -> tuple[str, ...]:
        """The case keys that B solved and A did not."""
        return tuple(key for suite in self.suites for key in suite.gained)


def read_side(path: Path) -> Side:
    """Return what a certificate or a report says.

    :raises UsageError: in one line, when the file is neither or has a task without a verdict.
    """
    try:
        content = path.read_bytes()
        plain = msgspec.json.decode(content)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be read: {why}. {_NAME}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: is not JSON: {str(error).rstrip('.')}. {_NAME}") from None
    match plain:
        case {"decision": _}:
            return _of_report(content, str(path))
        case {"verification": _}:
            return _of_certificate(content, str(path))
    raise UsageError(f"{path}: is neither a certificate nor a report. {_NAME}")


def _of_certificate(content: bytes, where: str) -> Side:
    try:
        certificate = parse_certificate(content, where)
    except CertificateError as error:
        raise UsageError(str(error)) from None
    pack = certificate.pack
    return Side(
        where=where,
        about=f"certificate of {pack.name}, sha256 {pack.sha256[:16]}",
        made={
            "engine": certificate.engine.to_json(),
            "decoding": msgspec.to_builtins(certificate.decoding),
            "verification": msgspec.to_builtins(certificate.verification),
        },
        tasks=certificate.by_key(),
    )


def _of_report(content: bytes, where: str) -> Side:
    try:
        report = msgspec.json.decode(content, type=Report)
    except msgspec.DecodeError as error:
        why = str(error).rstrip(".")
        raise UsageError(f"{where}: is no report of this version: {why}. {_GATE_AGAIN}") from None
    tasks: dict[str, CertifiedTask] = {}
    for task in report.tasks:
        if task.status is Status.ERROR:
            raise UsageError(
                f"{where}: {task.key!r} has the status 'error', which is no verdict. {_GATE_AGAIN}"
            )
        if tasks.setdefault(task.key, task) is not task:
            raise UsageError(f"{where}: {task.key!r} stands there twice. {_GATE_AGAIN}")
    pack = report.pack
    of = f"{pack.path}, sha256 {pack.sha256[:16]}" if pack else "given completions"
    return Side(
        where=where,
        about=f"report on {of}, {report.decision}",
        made={
            "engine": report.engine or {},
            "decoding": report.decoding or {},
            "verification": {"version": report.verifier},
        },
        tasks=tasks,
    )


def compare(a: Side, b: Side) -> Comparison:
    """Return what ``b`` lost and gained since ``a``, suite by suite.

    :raises UsageError: when they have no task in common: that nothing was lost would say nothing.
    """
    names = sorted({task.suite for side in (a, b) for task in side.tasks.values()})
    suites = tuple(_compare_suite(name, a, b) for name in names)
    if not any(suite.a.total for suite in suites):
        raise UsageError(
            f"{a.where} and {b.where}: have no task in common with the same text and tests. "
            "Compare gates of the same suites."
        )
    return Comparison(a=a, b=b, suites=suites, differences=tuple(_differences(a, b)))


def _compare_suite(name: str, a: Side, b: Side) -> SuiteComparison:
    before = {key: task for key, task in a.tasks.items() if task.suite == name}
    now = {key: task for key, task in b.tasks.items() if task.suite == name}
    shared = before.keys() & now.keys()
    same = {key for key in shared if before[key].task == now[key].task}
    solved_before = {key for key in same if before[key].status is Status.PASSED}
    solved_now = {key for key in same if now[key].status is Status.PASSED}
    lost, gained = solved_before - solved_now, solved_now - solved_before
    return SuiteComparison(
        name=name,
        a=_share(len(solved_before), len(same)),
        b=_share(len(solved_now), len(same)),
        lost=_in_order(before, lost),
        gained=_in_order(before, gained),
        mcnemar_p=mcnemar_p(len(lost), len(gained)) if same else None,
        loss_bound=loss_bound(len(solved_before)) if solved_before and not lost else None,
        only_a=_in_order(before, before.keys() - shared),
        only_b=_in_order(now, now.keys() - shared),
        changed=_in_order(before, shared - same),
    )


def _share(passed: int, total: int) -> Share:
    return Share(passed=passed, total=total, interval=wilson_interval(passed, total))


def _in_order(tasks: Mapping[str, CertifiedTask], keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(task.key for task in sorted_tasks(tasks[key] for key in keys))


def _differences(a: Side, b: Side) -> Iterator[str]:
    """Yield how the two were made otherwise, of what both tell."""
    for group, before in a.made.items():
        now = b.made[group]
        for name in sorted(before.keys() & now.keys()):
            if before[name] != now[name]:
                yield f"{group}.{name}: {_shown(before[name])}, then {_shown(now[name])}"
        if bool(before) != bool(now):
            yield f"{group}: {'none, then one' if now else 'one, then none'}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {part}" for name, part in value.items()) or "none"
    return str(value)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain JSON values, every task named."""
    return {
        "a": {"file": comparison.a.where, "about": comparison.a.about},
        "b": {"file": comparison.b.where, "about": comparison.b.about},
        "differences": list(comparison.differences),
        "lost": list(comparison.lost),
        "gained": list(comparison.gained),
        "suites": {
            suite.name: asdict(suite) | {"a": _share_json(suite.a), "b": _share_json(suite.b)}
            for suite in comparison.suites
        },
    }


def _share_json(share: Share) -> dict[str, float]:
    return {"passed": share.passed, "total": share.total} | asdict(share.interval)
