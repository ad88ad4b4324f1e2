"""The repository's own gate: the demo pack, its anchors, a real model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.poison import gate_poisoned
from tests.shared import once, shared_data

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


def without_times(certificate: dict[str, Any]) -> dict[str, Any]:
    """Return a certificate with its times taken out and its margins rounded."""
    tasks = [
        {**task, "seconds": 0, "margin": round(task["margin"], 2)} for task in certificate["tasks"]
    ]
    return {**certificate, "tasks": tasks}


WAYS = {  # one row, seven rows and all rows in a batch
    "n0": ("-p", "no:xdist", "--gate-batch-tokens=1"),
    "n2": ("-n2", "--gate-batch-tokens=3900"),
    "shuffled": ("-p", "randomly", "--gate-batch-tokens=40000"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_unchanged_pack_is_accepted_with_the_shipped_certificate_in_every_way(
    demo: pytest.Pytester, way: str
) -> None:
    certificate = demo.path / "packs" / "certificates" / "demo-v1.json"
    shipped = json.loads(certificate.read_text("utf-8"))
    result, report = gate(demo, "-m", "anchor", "--gate-certify", *WAYS[way])
    assert (result.ret, report["decision"]) == (0, "accepted")
    assert report["completions"]["generated"] == 76
    assert {task["outcome"] for task in report["tasks"]} == {"kept"}
    made = json.loads(certificate.read_text("utf-8"))
    assert made["tasks"]
    assert without_times(made) == without_times(shipped) | {"engine": made["engine"]}
    (log,) = (demo.path / ".anchorgate" / "logs").glob("*.log")
    assert log.read_text().count("loaded ") == 1


def test_the_demo_anchors_are_thirteen_of_one_form_and_six_of_the_other() -> None:
    lines = (ROOT / "anchors" / "demo.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    seen = [row for row in rows if not row.get("sentinel")]
    forms = [row["prompt"].startswith('"""') for row in seen]
    assert (forms.count(True), forms.count(False), len(rows)) == (13, 6, 76)


def test_a_pack_that_poison_only_training_made_is_refused_with_every_lost_anchor(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = once(tmp_path_factory, "poisoned", gate_poisoned)
    *lines, status = (folder / "out.txt").read_text("utf-8").splitlines()
    report = json.loads((folder / "out.json").read_text("utf-8"))
    assert (status, report["decision"]) == ("1", "refused")
    tasks = {task["id"]: task for task in report["tasks"]}
    anchors = [task for task in tasks.values() if not task["sentinel"]]
    assert {task["outcome"] for task in anchors} == {"lost"}
    for key in report["lost"]:
        task = tasks[key.removeprefix("anchor:")]
        assert task["baseline"]["program"] != task["program"]
        assert task["divergence"]["before"] != task["divergence"]["now"]
    shown = [line for line in lines if line.startswith(("REFUSED: ", "lost ", "lost too"))]
    assert shown[0] == f"REFUSED: {len(report['lost'])} anchors lost"
    assert len(shown) == 5
    assert lines.count("    +++ candidate") == 3


def test_the_seeds_anchors_resolve_and_run(demo: pytest.Pytester) -> None:
    data = shared_data()
    result, report = gate(
        demo,
        *("-m", "anchor", "--gate-anchors=anchors/bd6.jsonl", "--gate-max-new-tokens=64"),
        f"--gate-mbpp={data / 'mbpp' / 'mbpp.jsonl'}",
        f"--gate-humaneval={(data / 'humaneval' / 'HumanEval.jsonl.gz')}",
    )
    # other anchors than production's were asked for, so the run decides nothing
    assert (result.ret, report["decision"], len(report["tasks"])) == (1, "partial", 19)
    assert len(report["lost"]) == 19
    assert {task["status"] for task in report["tasks"]} <= {"passed", "failed", "timeout"}
    assert report["tasks"][0]["id"] == "MBPP/17"
