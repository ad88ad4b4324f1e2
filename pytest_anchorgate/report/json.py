"""The machine-readable report; its schema is documented in docs/report.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.verify import VERIFIER_VERSION, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.report.gated import GateReport, Row
    from pytest_anchorgate.report.suites import Share, SuiteReport

SCHEMA = 2


def write_json(report: GateReport, path: Path) -> None:
    """Write the report to ``path``, whole or not at all.

    :raises PackError: when the file cannot be written.
    """
    text = json.dumps(render_json(report), indent=1, ensure_ascii=False) + "\n"
    write_file(path, text.encode("utf-8", "backslashreplace"))


def render_json(report: GateReport) -> dict[str, Any]:
    """Return the report as plain JSON values."""
    ruling, pack, traffic = report.ruling, report.pack, report.traffic
    return {
        "schema": SCHEMA,
        "decision": ruling.decision.value,
        "reasons": list(ruling.reasons),
        "pack": {"path": pack.path, "sha256": pack.sha256} if pack else None,
        "engine": pack.engine if pack else None,
        "decoding": pack.decoding if pack else None,
        "baseline": asdict(report.baseline),
        "verifier": VERIFIER_VERSION,
        "sandbox": report.sandbox,
        "lost": list(ruling.lost),
        "gained": list(ruling.gained),
        "failed": list(ruling.failed),
        "not_run": list(ruling.not_run),
        "deselected": list(ruling.deselected),
        "suites": {suite.name: _suite(suite) for suite in report.suites},
        "completions": {
            "generated": traffic.generated,
            "generated_tokens": traffic.generated_tokens,
            "reused": traffic.reused,
            "reused_tokens": traffic.reused_tokens,
            "tasks_without_answer": report.without_answer,
            "answers_without_task": list(report.unknown_answers),
        },
        "seconds": {name: round(value, 3) for name, value in asdict(report.seconds).items()},
        "rerun": report.rerun,
        "notes": list(report.notes),
        "tasks": [_task(row) for row in report.rows],
    }


def _suite(suite: SuiteReport) -> dict[str, Any]:
    """Return a suite's numbers: its statuses first, each of them even when it is 0."""
    counts: dict[str, Any] = {s.value: suite.statuses.get(s.value, 0) for s in Status}
    return counts | {
        "rate": _share(suite.all),
        "trained_on": _share(suite.trained) if suite.trained else None,
        "unseen": _share(suite.unseen) if suite.unseen else None,
        "compared": suite.compared,
        "solved_before": suite.solved_before,
        "lost": suite.lost,
        "gained": suite.gained,
        "mcnemar_p": suite.mcnemar_p,
        "loss_bound": suite.loss_bound,
        "pass_at": {str(k): rate for k, rate in suite.pass_at.items()},
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "passed": share.passed,
        "total": share.total,
        "low": share.interval.low,
        "high": share.interval.high,
    }


def _task(row: Row) -> dict[str, Any]:
    """Return one case: what a reader looks for first, then the rest as it was recorded."""
    first = {"id": row.verdict["task_id"], "outcome": row.outcome.value}
    recorded = {name: value for name, value in row.verdict.items() if name != "task_id"}
    before = row.before
    return (
        first
        | recorded
        | {
            "token_ids": list(row.token_ids),
            "margin": row.margin,
            "trained_on": row.trained_on,
            "divergence": asdict(row.divergence) if row.divergence else None,
            "baseline": {"status": before.status.value, "program": row.before_program}
            if before
            else None,
        }
    )
