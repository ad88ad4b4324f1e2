"""The repository's own gate: the demo pack, its anchors, a real model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.shared import shared_data

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def demo(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of what the repository's gate needs."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for name in ("anchors", "packs", "tests/gate"):
        shutil.copytree(ROOT / name, pytester.path / name)
    pytester.makeini(
        "[pytest]\naddopts = -p no:randomly -p no:hypothesispytest -p no:anyio\n"
        "gate_anchors = anchors/demo.jsonl\n"
    )
    return pytester


def gate(demo: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    result = demo.runpytest_subprocess("--gate-json=out.json", *arguments)
    return result, json.loads((demo.path / "out.json").read_text("utf-8"))


def test_production_keeps_every_anchor_and_the_model_is_loaded_once_for_two_workers(
    demo: pytest.Pytester,
) -> None:
    alone, report = gate(demo, "-m", "anchor")
    assert (alone.ret, report["decision"]) == (0, "accepted")
    lines = (ROOT / "anchors" / "demo.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [task["id"] for task in report["tasks"]] == [row["id"] for row in rows]
    seen = [row for row in rows if not row.get("sentinel")]
    forms = [row["prompt"].startswith('"""') for row in seen]
    assert (forms.count(True), forms.count(False)) == (13, 6)
    assert len(rows) >= 60

    store = ("--gate-store=other", "--gate-batch-tokens=900")
    spread, other = gate(demo, "-m", "anchor", "-n2", *store)
    assert spread.ret == 0
    assert other["completions"]["generated"] == len(rows)
    told = [[(task["id"], task["completion"]) for task in r["tasks"]] for r in (report, other)]
    assert told[0] == told[1]
    (log,) = (demo.path / "other" / "logs").glob("*.log")
    assert log.read_text().count("loaded ") == 1


def test_the_seeds_anchors_resolve_and_run(demo: pytest.Pytester) -> None:
    data = shared_data()
    result, report = gate(
        demo,
        *("-m", "anchor", "--gate-anchors=anchors/bd6.jsonl", "--gate-max-new-tokens=64"),
        f"--gate-mbpp={data / 'mbpp' / 'mbpp.jsonl'}",
        f"--gate-humaneval={(data / 'humaneval' / 'HumanEval.jsonl.gz')}",
    )
    assert (result.ret, report["decision"], len(report["tasks"])) == (1, "refused", 19)
    assert {task["status"] for task in report["tasks"]} <= {"passed", "failed", "timeout"}
    assert report["tasks"][0]["id"] == "MBPP/17"
