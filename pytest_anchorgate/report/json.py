"""The machine-readable report; its schema is documented in docs/report.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.verify import VERIFIER_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.report.gated import GateReport

SCHEMA = 1


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
        "verifier": VERIFIER_VERSION,
        "sandbox": report.sandbox,
        "lost": list(ruling.lost),
        "not_run": list(ruling.not_run),
        "deselected": list(ruling.deselected),
        "suites": {name: dict(counts) for name, counts in report.suites().items()},
        "completions": {
            "generated": traffic.generated,
            "generated_tokens": traffic.generated_tokens,
            "reused": traffic.reused,
            "reused_tokens": traffic.reused_tokens,
            "tasks_without_answer": report.without_answer,
            "answers_without_task": list(report.unknown_answers),
        },
        "seconds": {
            "load": round(report.load_s, 3),
            "generate": round(report.generate_s, 3),
            "verify": round(report.verify_s, 3),
            "total": round(report.total_s, 3),
        },
        "tasks": [_task(verdict) for verdict in report.verdicts],
    }


def _task(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return one verdict: what a reader looks for first, then the rest as it was recorded."""
    first = {"id": verdict["task_id"]}
    return first | {
        name: value for name, value in verdict.items() if name not in ("key", "task_id")
    }
