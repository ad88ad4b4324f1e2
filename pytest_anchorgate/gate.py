"""From verdicts to a decision. Pure: no files, no clock, no pytest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

ANCHOR = "anchor"
EXIT_INVALID = 10  # 6 is pytest's own MAX_WARNINGS_ERROR


class Decision(StrEnum):
    """What a gate run says of its pack."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    INVALID = "invalid"
    PARTIAL = "partial"


class Outcome(StrEnum):
    """What a verdict means beside the baseline's."""

    PASSED = "passed"  # no baseline
    FAILED = "failed"  # no baseline
    KEPT = "kept"
    LOST = "lost"
    GAINED = "gained"
    KNOWN = "known failure"
    ERROR = "error"  # our machinery broke


def suite_of(key: str) -> str:
    """Return the suite of a case key ``suite:item id``."""
    return key.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a gate holds a candidate to: its baseline's verdicts, and what may be lost.

    ``baseline`` has the status of each case that the baseline has a verdict on.
    ``allowed_losses`` has a number for each suite whose losses refuse; those of others are only
    reported. Of anchors none may ever be lost. With ``recording`` the run makes a first
    baseline: what fails without being an anchor is known to fail from now on.
    """

    baseline: Mapping[str, Status] = field(default_factory=dict)
    allowed_losses: Mapping[str, int] = field(default_factory=dict)
    recording: bool = False

    def today(self, record: Mapping[str, Any]) -> Rules:
        """Return the rules with what a record says of the baseline's verdict today, if it does."""
        if "baseline_today" not in record:
            return self
        today = Status(record["baseline_today"])
        return replace(self, baseline={**self.baseline, record["key"]: today})

    def outcome(self, key: str, status: Status) -> Outcome:
        """Return what a case's verdict means; an anchor is solved by production by definition."""
        anchor = suite_of(key) == ANCHOR
        before, passed = self.baseline.get(key), status is Status.PASSED
        if status is Status.ERROR:
            return Outcome.ERROR
        if before is Status.PASSED:
            return Outcome.KEPT if passed else Outcome.LOST
        if before is not None:
            return Outcome.GAINED if passed else Outcome.KNOWN
        if passed:
            return Outcome.PASSED
        if anchor:
            return Outcome.LOST
        return Outcome.KNOWN if self.recording else Outcome.FAILED

    def allowed(self, suite: str) -> int | None:
        """Return how many losses a suite may have, or None where they are only reported."""
        return 0 if suite == ANCHOR else self.allowed_losses.get(suite)

    def refuses(self, key: str, outcome: Outcome) -> bool:
        """Whether the case alone, whatever becomes of the others, refuses the candidate."""
        if outcome is Outcome.LOST:
            return self.allowed(suite_of(key)) == 0
        return outcome is Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was to be judged, as case keys, and what the user asked to leave out.

    ``planned`` are all cases of the selected suites and the baseline's anchors; ``selected``
    those that pytest kept. ``narrowed``: the user asked for fewer than all, which makes the run
    partial, or with ``whole`` invalid.
    """

    planned: Collection[str]
    selected: Collection[str]
    narrowed: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision with what led to it; the tuples hold case keys, sorted."""

    decision: Decision
    reasons: tuple[str, ...]
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()  # without a baseline
    not_run: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()


def judge(
    verdicts: Mapping[str, Status],
    coverage: Coverage,
    rules: Rules,
    *,
    faults: Sequence[str] = (),
    breaches: Sequence[str] = (),
) -> Ruling:
    """Decide whether a candidate may replace production.

    ``verdicts`` are what was reported; an ``error`` is no verdict. ``faults`` are reasons why
    none can be trusted: always invalid. ``breaches`` are anchors taken away without a waiver:
    they refuse, as one lost anchor does, even when others are missing. Else anything missing is
    invalid: silence is not a pass. Gains never pay.
    """
    outcomes = {key: rules.outcome(key, status) for key, status in verdicts.items()}
    known = {key for key, outcome in outcomes.items() if outcome is not Outcome.ERROR}
    found = {
        "lost": _with(outcomes, Outcome.LOST),
        "gained": _with(outcomes, Outcome.GAINED),
        "failed": _with(outcomes, Outcome.FAILED),
        "not_run": tuple(sorted(set(coverage.selected) - known)),
        "deselected": tuple(sorted(set(coverage.planned) - set(coverage.selected))),
    }
    refusals = [*_refusals(found["lost"], found["failed"], rules), *breaches]
    decision, reasons = _decide(found, refusals, coverage, faults)
    if decision is Decision.ACCEPTED:
        reasons = (_accepted(outcomes, rules),)
    return Ruling(decision=decision, reasons=reasons, **found)


def _with(outcomes: Mapping[str, Outcome], wanted: Outcome) -> tuple[str, ...]:
    return tuple(sorted(key for key, outcome in outcomes.items() if outcome is wanted))


def _refusals(lost: Iterable[str], failed: Sequence[str], rules: Rules) -> Iterator[str]:
    """Yield why these verdicts refuse, a suite at a time."""
    for suite, count in sorted(Counter(map(suite_of, lost)).items()):
        allowed = rules.allowed(suite)
        if suite == ANCHOR:
            yield f"{_count(count, 'anchor')} lost"
        elif allowed is not None and count > allowed:
            yield f"{_count(count, 'task')} of {suite} lost, {allowed} may be"
    if failed:
        yield f"{_count(len(failed), 'task')} without a baseline did not pass"


def _decide(
    found: Mapping[str, Sequence[str]],
    refusals: Sequence[str],
    coverage: Coverage,
    faults: Sequence[str],
) -> tuple[Decision, tuple[str, ...]]:
    deselected, not_run, planned = found["deselected"], found["not_run"], len(coverage.planned)
    left_out = f"{len(deselected)} of {planned} planned tasks were left out"
    silent = (f"{_count(len(not_run), 'selected task')} gave no verdict",) if not_run else ()
    if faults:
        return Decision.INVALID, tuple(faults)
    if deselected and coverage.narrowed:
        if coverage.whole:
            return Decision.INVALID, (f"{left_out}, and --gate-whole wants every one",)
        return Decision.PARTIAL, (left_out,)
    if refusals:
        return Decision.REFUSED, (*refusals, *silent)
    if not planned:
        return Decision.INVALID, ("nothing was planned, and silence is not a pass",)
    if deselected:
        missing = f"{len(deselected)} of {planned} planned tasks were not collected"
        return Decision.INVALID, (missing, *silent)
    return (Decision.INVALID, silent) if silent else (Decision.ACCEPTED, ())


def _accepted(outcomes: Mapping[str, Outcome], rules: Rules) -> str:
    """Return what an accepted candidate did, in one clause."""
    count = Counter(outcomes.values())
    if not rules.baseline and not count[Outcome.KNOWN]:
        return f"all {len(outcomes)} planned tasks passed"
    anchors = [outcome for key, outcome in outcomes.items() if suite_of(key) == ANCHOR]
    kept = len(anchors) - anchors.count(Outcome.KNOWN)
    of = "all" if kept == len(anchors) else f"{kept} of"
    parts = [f"{of} {len(anchors)} anchors kept" if anchors else "nothing lost that may not be"]
    parts += [f"{count[o]} {o}" for o in (Outcome.GAINED, Outcome.LOST) if count[o]]
    parts += [_count(count[Outcome.KNOWN], Outcome.KNOWN)] if count[Outcome.KNOWN] else []
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def exit_status(decision: Decision, pytest_status: int) -> int:
    """Return a gated session's exit status from its decision and pytest's own status.

    Ctrl-C (2), pytest's internal error (3) and usage error (4) stay, and so does what a partial
    run ended with; an ordinary failing test turns an accepted gate's 0 into 1.
    """
    if pytest_status in (2, 3, 4) or decision is Decision.PARTIAL:
        return pytest_status
    return {
        Decision.ACCEPTED: 1 if pytest_status else 0,
        Decision.REFUSED: 1,
        Decision.INVALID: EXIT_INVALID,
    }[decision]
