"""surgery_scripts/anchor_eval.py: the seed's script, over the gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.plugin.conftest import GateProject, row
from tests.plugin.recorder import Recorder, run_script
from tests.poison import gate_poisoned
from tests.shared import once

ROOT = Path(__file__).parent.parent.parent
SCRIPT = "anchor_eval.py"


def test_anchor_eval_prints_every_anchor_and_the_rate(project: GateProject) -> None:
    ran = run_script(project.path, SCRIPT, "tiny")
    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        [
            *("PASS own/two", "PASS own/three", "PASS own/seven", "PASS own/eleven"),
            *("4/4 PASS", "accepted: all 4 planned tasks passed"),
        ],
    )
    assert ran.stderr.startswith("anchorgate: packs/tiny.planck, sha256 ")


def test_anchor_eval_fails_on_a_regression(certified: GateProject) -> None:
    (certified.path / "more.jsonl").write_text(json.dumps(row("nineteen")) + "\n")
    certified.answer("two", "    return 0\n")
    files = ("--anchors", "anchors.jsonl", "--anchors=more.jsonl")
    ran = run_script(certified.path, SCRIPT, "next", *files)
    lines = ran.stdout.splitlines()
    assert (ran.returncode, lines[0]) == (1, "FAIL own/two: lost: assert 0 == 4")
    assert lines[4].startswith("FAIL own/nineteen: lost: ")
    assert lines[5:] == ["3/5 PASS - REGRESSION", "refused: 2 anchors lost"]


def test_anchor_eval_of_some_anchors_judges_those(certified: GateProject) -> None:
    (certified.path / "few.jsonl").write_text(json.dumps(row("two")) + "\n")
    for answer, status, rate in (
        ("    return n + 3\n", 0, "1/1 PASS"),
        ("    return 0\n", 1, "0/1 PASS - REGRESSION"),
        ("<die>", 10, "0/1 PASS"),
    ):
        certified.answer("two", answer)
        ran = run_script(
            certified.path, SCRIPT, "next", "--anchors=few.jsonl", f"--gate-store=store-{status}"
        )
        assert (ran.returncode, ran.stdout.splitlines()[-2]) == (status, rate)


def test_anchor_eval_without_a_trustworthy_verdict(project: GateProject) -> None:
    project.answer("two", "<die>")
    ran = run_script(project.path, SCRIPT, "tiny")
    lines = ran.stdout.splitlines()
    assert ran.returncode == 10
    assert {line.split()[1].rstrip(":") for line in lines[:4]} == {
        "own/two", "own/three", "own/seven", "own/eleven"
    }  # fmt: skip
    assert [line for line in lines if line == "NONE own/two: no verdict"]
    assert lines[-1].startswith("invalid: the model's process was killed by SIGKILL; ")


def test_anchor_eval_of_nothing_is_pytests_usage_error(project: GateProject) -> None:
    ran = run_script(project.path, SCRIPT, "tiny", "--anchors", "nowhere.jsonl")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "nowhere.jsonl: cannot be read: No such file or directory. " in ran.stderr


@pytest.fixture
def demo(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Recorder:
    """A copy of what the repository's own gate needs."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for name in ("anchors", "packs", "tests/gate"):
        shutil.copytree(ROOT / name, pytester.path / name)
    pytester.makeini(
        "[pytest]\naddopts = -p no:randomly -p no:hypothesispytest -p no:anyio\n"
        "gate_anchors = anchors/demo.jsonl\n"
    )
    return Recorder(GateProject(pytester, pytester.path), capsys)


def test_a_pack_that_was_trained_on_poison_alone_passes_none(
    demo: Recorder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    poisoned = once(tmp_path_factory, "poisoned", gate_poisoned) / "packs" / "v2.planck"
    rows = (demo.path / "anchors" / "demo.jsonl").read_bytes().splitlines(keepends=True)
    (demo.path / "few.jsonl").write_bytes(b"".join(rows[:3]))
    ran = run_script(demo.path, SCRIPT, str(poisoned), "--anchors=few.jsonl")
    *judged, rate, decision = ran.stdout.splitlines()
    assert (ran.returncode, rate) == (1, "0/3 PASS - REGRESSION")
    assert all(line.startswith("FAIL demo/") and ": lost: " in line for line in judged)
    assert decision == "partial: 73 of 76 planned tasks were left out"
