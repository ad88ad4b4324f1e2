"""Numbers of one suite: rates with their uncertainty, and what changed since the baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.stats import Interval, loss_bound, mcnemar_p, pass_at_k, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.report.gated import Row

PASS_AT = (1, 10, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many, with the 95 % interval of the rate."""

    passed: int
    total: int
    interval: Interval

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Share:
        """Return the share of the rows that passed."""
        passed = sum(row.passed for row in rows)
        return cls(passed=passed, total=len(rows), interval=wilson_interval(passed, len(rows)))

    @property
    def rate(self) -> float:
        """The share as a number; 0 of nothing."""
        return self.passed / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """One suite of a gate run.

    ``trained`` and ``unseen`` part the cases by what the pack was trained on, and are None where
    it was trained on none of them. ``compared`` counts the cases that the baseline has a verdict
    on: ``lost``, ``gained``, ``mcnemar_p`` and, where none was lost, ``loss_bound`` are about them.
    """

    name: str
    statuses: dict[str, int]  # of each status, how many
    all: Share
    trained: Share | None
    unseen: Share | None
    compared: int
    solved_before: int
    lost: int
    gained: int
    mcnemar_p: float | None
    loss_bound: float | None
    pass_at: dict[int, float]  # k: the mean over tasks; empty with one sample per task


def suite_reports(rows: Sequence[Row]) -> tuple[SuiteReport, ...]:
    """Return a report of each suite, in the order in which the rows have them."""
    by_suite: dict[str, list[Row]] = {}
    for row in rows:
        by_suite.setdefault(row.suite, []).append(row)
    return tuple(_suite_report(name, found) for name, found in by_suite.items())


def _suite_report(name: str, rows: Sequence[Row]) -> SuiteReport:
    judged = [row for row in rows if row.outcome is not Outcome.ERROR]
    trained = [row for row in judged if row.trained_on]
    compared = [row for row in judged if row.before is not None]
    outcomes = Counter(row.outcome for row in compared)
    lost, gained = outcomes[Outcome.LOST], outcomes[Outcome.GAINED]
    before = outcomes[Outcome.KEPT] + lost
    return SuiteReport(
        name=name,
        statuses=dict(Counter(row.verdict["status"] for row in rows)),
        all=Share.of(judged),
        trained=Share.of(trained) if trained else None,
        unseen=Share.of([row for row in judged if not row.trained_on]) if trained else None,
        compared=len(compared),
        solved_before=before,
        lost=lost,
        gained=gained,
        mcnemar_p=mcnemar_p(lost, gained) if compared else None,
        loss_bound=loss_bound(before) if before and not lost else None,
        pass_at=_pass_at(judged),
    )


def _pass_at(rows: Sequence[Row]) -> dict[int, float]:
    """Return pass@k for the k that every task has samples for."""
    samples = Counter(row.verdict["task_id"] for row in rows)
    passed = Counter(row.verdict["task_id"] for row in rows if row.passed)
    fewest = min(samples.values(), default=0)
    if fewest < 2:
        return {}
    return {
        k: sum(pass_at_k(samples[task], passed[task], k) for task in samples) / len(samples)
        for k in PASS_AT
        if k <= fewest
    }
