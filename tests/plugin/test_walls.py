"""The sandbox as a session uses it: its tiers, its canaries, and a timeout's second run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import row

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

WAYS = pytest.mark.parametrize(
    "way", [(), ("-n2",), ("-p", "no:xdist")], ids=["n0", "n2", "no xdist"]
)
REFUSING = """
from pytest_anchorgate.sandbox import process, tiers

def refusing(tier, start=tiers.Zygote):
    if tier in {refused!r}:
        raise process.Refused(process.refusal(tier, "not on this machine"))
    return start(tier)

tiers.Zygote = refusing
"""
WRONG_CANARY = """
from pytest_anchorgate.sandbox import canaries
canary = canaries.Canary(name="odd", program="def f(x): return x", kind=canaries.Kind.PASSED)
canaries.CANARIES = (canary,)
"""


@pytest.mark.parametrize("tier", ["namespaces", "landlock", "rlimits"])
@pytest.mark.parametrize("way", [(), ("-n2",)], ids=["n0", "n2"])
def test_the_tier_that_was_asked_for_is_reported(
    project: GateProject, tier: str, way: tuple[str, ...]
) -> None:
    result, report = project.gate("--gate-sandbox", tier, *way)
    assert (result.ret, report["sandbox"]) == (0, tier)
    result.stdout.fnmatch_lines([f"sandbox    {tier}*"])


@pytest.mark.parametrize("tier", ["landlock", "rlimits"])
@WAYS
def test_no_process_of_a_session_leaves_a_directory(
    project: GateProject, tier: str, way: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project.path / "tmp"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    assert project.gate("--gate-sandbox", tier, *way)[0].ret == 0
    assert list(own.glob("anchorgate-*")) == []


def test_auto_takes_the_strongest_tier_that_starts(project: GateProject) -> None:
    assert project.gate()[1]["sandbox"] == "namespaces"
    (project.path / "conftest.py").write_text(REFUSING.format(refused={"namespaces"}))
    assert project.gate("-n2")[1]["sandbox"] == "landlock"


def test_a_tier_from_the_ini_file(project: GateProject) -> None:
    with (project.path / "pytest.ini").open("a") as ini:
        ini.write("gate_sandbox = landlock\n")
    assert project.gate()[1]["sandbox"] == "landlock"


def test_a_tier_that_cannot_start_names_what_would_help(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(REFUSING.format(refused={"namespaces"}))
    result = project.run("--pack", "tiny", "-m", "anchor", "--gate-sandbox", "namespaces")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: sandbox: namespaces cannot be had here: not on this machine. *"
         "kernel.apparmor_restrict_unprivileged_userns=0*"]
    )  # fmt: skip


def test_ci_does_without_walls_only_when_asked(
    project: GateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    refused = {"namespaces", "landlock"}
    (project.path / "conftest.py").write_text(REFUSING.format(refused=refused))
    result = project.run("--pack", "tiny", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --gate-sandbox=auto: only rlimits work here, which wall nothing off, and CI is "
         "set. *Or ask for it: --gate-sandbox=rlimits."]
    )  # fmt: skip
    result, report = project.gate("--gate-sandbox", "rlimits")
    assert (result.ret, report["sandbox"]) == (0, "rlimits")
    result.stdout.fnmatch_lines(["sandbox    rlimits; nothing is walled off"])


def test_without_ci_auto_does_what_it_can(
    project: GateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    refused = {"namespaces", "landlock"}
    (project.path / "conftest.py").write_text(REFUSING.format(refused=refused))
    assert project.gate()[1]["sandbox"] == "rlimits"


@WAYS
def test_a_canary_that_surprises_makes_the_run_invalid(
    project: GateProject, way: tuple[str, ...]
) -> None:
    (project.path / "conftest.py").write_text(WRONG_CANARY)
    result, report = project.gate(*way)
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.assert_outcomes(errors=4)
    said = (
        "sandbox: the canary 'odd' must end as passed and ended as assertion (assert 2 == 4). "
        "No verdict of this process can be believed."
    )
    assert report["reasons"] == [said]
    assert {task["reason"] for task in report["tasks"]} == {said}


def test_a_canary_outweighs_a_loss_that_another_worker_saw(project: GateProject) -> None:
    project.answer("seven", "    return 0\n")
    only_in_one = 'import os\nif os.environ.get("PYTEST_XDIST_WORKER") == "gw0":\n'
    body = "".join(f"    {line}\n" for line in WRONG_CANARY.splitlines() if line)
    (project.path / "conftest.py").write_text(only_in_one + body)
    result, report = project.gate("-n2", "--dist", "each")
    assert (result.ret, report["decision"]) == (10, "invalid")


@WAYS
def test_a_timeout_counts_only_when_it_happens_again_alone(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("two", "    while True:\n        pass\n")
    result, report = project.gate("--gate-timeout", "0.2", *way)
    (timed_out,) = [task for task in report["tasks"] if task["status"] == "timeout"]
    assert (timed_out["id"], timed_out["kind"]) == ("own/two", "cpu")
    assert timed_out["reason"] == timed_out["first_reason"] == "used more than 0.2 s of CPU time"
    assert result.ret == 1
    result.stdout.fnmatch_lines(["run again  own/two timeout: alone, after running out of time"])


FIRST_TIME_SLOW = """
from pytest_anchorgate import session
real = session.verify
seen = []

def verify(task, text, **given):
    if task.id == "own/two" and not seen:
        seen.append(task)
        return real(task, "    while True:\\n        pass\\n", **given | {{"timeout_s": 0.1}})
    return real(task, text, **given)

session.verify = verify
"""


def test_an_anchor_that_passes_alone_is_kept_and_both_runs_are_told(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(FIRST_TIME_SLOW.format())
    result, report = project.gate()
    assert (result.ret, report["decision"]) == (0, "accepted")
    (again,) = [task for task in report["tasks"] if task["first_reason"]]
    assert (again["id"], again["status"]) == ("own/two", "passed")
    assert again["first_reason"] == "used more than 0.1 s of CPU time"
    result.stdout.fnmatch_lines(["run again  own/two passed: alone, after running out of time"])


def test_tests_beside_their_program_are_named(project: GateProject) -> None:
    tests = ["class Odd: pass\nassert two(3) == 6", "assert two(-2) == 1"]
    own = row("two", together=True) | {"tests": tests}
    with (project.path / "anchors.jsonl").open("a") as anchors:
        anchors.write(json.dumps(own | {"id": "own/beside"}) + "\n")
    result, report = project.gate()
    assert [task["id"] for task in report["tasks"] if task["together"]] == ["own/beside"]
    result.stdout.fnmatch_lines(["together   own/beside: tests that ran beside their program"])


def test_a_test_that_hands_over_a_function_says_what_to_do(project: GateProject) -> None:
    own = row("two") | {"id": "own/handing", "tests": ["assert two(lambda: 1) == 6"]}
    with (project.path / "anchors.jsonl").open("a") as anchors:
        anchors.write(json.dumps(own) + "\n")
    result, report = project.gate()
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(
        ["*own/handing: sandbox: a test hands over a function, which is not plain data. "
         'Give the task "together": true.']
    )  # fmt: skip
