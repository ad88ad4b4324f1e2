"""From verdicts to a decision. Pure: no files, no clock, no pytest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

EXIT_INVALID = 10  # 6 is pytest's own MAX_WARNINGS_ERROR


class Decision(StrEnum):
    """What a gate run says of its pack."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    INVALID = "invalid"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision with what led to it; the tuples hold case keys, sorted."""

    decision: Decision
    reasons: tuple[str, ...]
    lost: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()


def judge(
    verdicts: Mapping[str, Status],
    *,
    planned: Collection[str],
    selected: Collection[str],
    narrowed: bool,
    whole: bool = False,
    faults: Sequence[str] = (),
) -> Ruling:
    """Decide whether a candidate may replace production, without a baseline certificate.

    ``planned`` are all cases of the selected suites, ``selected`` those that pytest kept, and
    ``verdicts`` what was reported; an ``error`` is no verdict. ``narrowed`` says that the user
    asked for fewer than all, which makes the run partial, or with ``whole`` invalid. ``faults``
    are reasons why no verdict can be trusted. A case that did not pass refuses even when others
    are missing; else anything missing is invalid: silence is not a pass.
    """
    known = {key: status for key, status in verdicts.items() if status is not Status.ERROR}
    lost = tuple(sorted(key for key, status in known.items() if status is not Status.PASSED))
    deselected = tuple(sorted(set(planned) - set(selected)))
    not_run = tuple(sorted(set(selected) - known.keys()))
    decision, reasons = _decide(
        lost=len(lost),
        not_run=len(not_run),
        deselected=len(deselected),
        planned=len(planned),
        narrowed=narrowed,
        whole=whole,
        faults=faults,
    )
    return Ruling(
        decision=decision, reasons=reasons, lost=lost, not_run=not_run, deselected=deselected
    )


def _decide(
    *,
    lost: int,
    not_run: int,
    deselected: int,
    planned: int,
    narrowed: bool,
    whole: bool,
    faults: Sequence[str],
) -> tuple[Decision, tuple[str, ...]]:
    left_out = f"{deselected} of {planned} planned tasks were left out"
    silent = f"{not_run} selected {_tasks(not_run)} gave no verdict"
    if faults:
        return Decision.INVALID, tuple(faults)
    if deselected and narrowed:
        if whole:
            return Decision.INVALID, (f"{left_out}, and --gate-whole wants every one",)
        return Decision.PARTIAL, (left_out,)
    if lost:
        did_not_pass = f"{lost} {_tasks(lost)} did not pass"
        return Decision.REFUSED, (did_not_pass, *((silent,) if not_run else ()))
    if not planned:
        return Decision.INVALID, ("nothing was planned, and silence is not a pass",)
    if deselected:
        return Decision.INVALID, (f"{deselected} of {planned} planned tasks were not collected",)
    if not_run:
        return Decision.INVALID, (silent,)
    return Decision.ACCEPTED, (f"all {planned} planned tasks passed",)


def _tasks(count: int) -> str:
    return "task" if count == 1 else "tasks"


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
