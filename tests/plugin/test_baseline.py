"""Verdicts held against a certificate: what pytest shows, what the gate decides."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.certificate import read_certificate
from tests.plugin.conftest import body, row
from tests.plugin.test_decisions import WAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import GateProject

NAMES = ("one", "four", "nine")
MBPP_LIKE = """
import pytest


@pytest.mark.suite("mine.jsonl")
def test_mine(planck, task):
    planck.verify(task)
"""


def add_suite(project: GateProject, *, failing: str) -> None:
    """Give the project a suite of its own, of which the model solves all but one task."""
    rows = [json.dumps(row(name)) for name in NAMES]
    (project.path / "mine.jsonl").write_text("\n".join(rows) + "\n")
    (project.path / "tests" / "gate" / "test_mine.py").write_text(MBPP_LIKE)
    for name in NAMES:
        project.answer(name, "    return 0\n" if name == failing else body(name))


BOTH = ("-m", "anchor or suite")  # the last -m counts


@WAYS
def test_lost_kept_gained_and_known_are_what_pytest_calls_them(
    certified: GateProject, way: tuple[str, ...]
) -> None:
    add_suite(certified, failing="one")
    result, report = certified.gate("--gate-certify", *BOTH)
    result.assert_outcomes(passed=6, xfailed=1)
    assert (result.ret, report["decision"]) == (0, "accepted")
    certified.answer("one", body("one"), pack="next")
    certified.answer("four", "    return 0\n", pack="next")
    certified.answer("seven", "    return 0\n", pack="next")
    result, report = certified.gate("-rA", *BOTH, *way, pack="next")
    assert (result.ret, report["decision"]) == (1, "refused")
    result.assert_outcomes(passed=4, failed=1, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines_random(
        ["XPASS *own/one? - known failure of the baseline", "XFAIL *own/four? - lost (report-only)"]
    )
    outcomes = {task["id"]: task["outcome"] for task in report["tasks"]}
    assert outcomes == {
        "own/two": "kept", "own/three": "kept", "own/seven": "lost", "own/eleven": "kept",
        "own/one": "gained", "own/four": "lost", "own/nine": "kept",
    }  # fmt: skip
    assert report["reasons"] == ["1 anchor lost"]
    assert (report["lost"], report["gained"]) == (
        ["anchor:own/seven", "mine:own/four"],
        ["mine:own/one"],
    )
    result.stdout.fnmatch_lines(
        [
            "REFUSED: 1 anchor lost",
            "baseline *packs/certificates/tiny.json: tiny.planck, sha256 *",
            "lost *anchor:own/seven  (anchors.jsonl:3)",
            "    token * of the answer was *, is *",
            "    -    return n + 5",
            "    +    return 0",
            "run lost *pytest --pack packs/next.planck -m 'anchor or suite' *seven]' *four]'",
        ]
    )


def test_gains_pay_for_nothing_and_losses_of_a_suite_count_beyond_what_is_allowed(
    certified: GateProject,
) -> None:
    add_suite(certified, failing="one")
    certified.gate("--gate-certify", *BOTH)
    certified.answer("one", body("one"), pack="next")
    certified.answer("four", "    return 0\n", pack="next")
    ini = (certified.path / "pytest.ini").read_text()
    for allowed, status, outcomes in (
        ("", 0, {"xfailed": 1}),
        ("gate_allowed_losses = mine=1\n", 0, {"xfailed": 1}),
        ("gate_allowed_losses = mine=0\n", 1, {"failed": 1}),
    ):
        (certified.path / "pytest.ini").write_text(ini + allowed)
        result, report = certified.gate(*BOTH, pack="next")
        assert (result.ret, report["decision"]) == (status, ["accepted", "refused"][status])
        result.assert_outcomes(passed=5, xpassed=1, **outcomes)
    assert report["reasons"] == ["1 task of mine lost, 0 may be"]


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("mine", "gate_allowed_losses: 'mine' is not SUITE=N, as in mbpp=2."),
        ("mine=-1", "gate_allowed_losses: 'mine=-1' is not SUITE=N, as in mbpp=2."),
        ("anchor=1", "gate_allowed_losses: 'anchor=1' of anchors none may be lost."),
    ],
)
def test_a_wrong_allowance_is_a_usage_error(project: GateProject, value: str, wrong: str) -> None:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(f"{ini}gate_allowed_losses = {value}\n")
    result = project.run("-m", "anchor", "--pack", "tiny")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {wrong}"])


def test_without_a_certificate_outcomes_are_plain_and_a_line_says_so(
    project: GateProject,
) -> None:
    project.write_production()
    project.answer("two", "    return 0\n")
    result, report = project.gate()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["baseline   none: packs/certificates/tiny.json does not exist. Write one with*"]
    )
    assert report["baseline"]["where"].startswith("none: ")
    assert [task["outcome"] for task in report["tasks"]] == ["lost", "passed", "passed", "passed"]


def test_an_anchor_that_is_new_must_pass_though_the_baseline_does_not_know_it(
    certified: GateProject,
) -> None:
    certified.add_anchor("four")
    result, report = certified.gate()
    assert (result.ret, report["decision"]) == (0, "accepted")
    assert report["tasks"][-1]["outcome"] == "passed"
    certified.answer("four", "    return 0\n", pack="next")
    result, report = certified.gate(pack="next")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/four"])


def test_an_anchor_that_went_away_is_missed(certified: GateProject) -> None:
    path = certified.path / "anchors.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert report["deselected"] == ["anchor:own/two"]
    result.stdout.fnmatch_lines(["INVALID: 1 of 4 planned tasks were not collected"])


def test_an_anchor_with_other_tests_is_not_the_certified_one(certified: GateProject) -> None:
    path = certified.path / "anchors.jsonl"
    path.write_text(path.read_text().replace("assert two(1) == 4", "assert two(1) > 0"))
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    wrong = (
        "anchor:own/two: its text or tests are not those that packs/certificates/tiny.json "
        "certifies. Restore them, or waive the change in anchors/waivers.toml."
    )
    assert report["reasons"] == [wrong]
    assert certified.loads() == 0 or report["tasks"] == []


def other_pack(certificate: Path) -> str:
    return re.sub(r'"sha256": "[0-9a-f]{64}"', f'"sha256": "{"0" * 64}"', certificate.read_text())


def test_the_certificate_of_another_pack_is_no_baseline(certified: GateProject) -> None:
    certificate = certified.certificate()
    certificate.write_text(other_pack(certificate))
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    (reason,) = report["reasons"]
    assert reason.startswith(
        "packs/certificates/tiny.json: is the certificate of a pack with sha256 0000000"
    )


def test_a_broken_certificate_is_no_baseline(certified: GateProject) -> None:
    certified.certificate().write_text('{"schema": 1')
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert report["reasons"][0].startswith("packs/certificates/tiny.json: is no certificate: ")


def test_a_candidates_own_certificate_must_say_what_the_gate_says(certified: GateProject) -> None:
    certified.gate("--gate-certify", pack="next")
    own = certified.certificate("next")
    assert certified.gate(pack="next")[0].ret == 0
    text = own.read_text()
    own.write_text(text.replace('"passed"', '"failed"', 1))
    result, report = certified.gate(pack="next")
    assert (result.ret, report["reasons"]) == (
        10,
        [
            "packs/certificates/next.json: certifies anchor:own/eleven as failed, this run says "
            "passed. Write it again with --gate-certify."
        ],
    )
    own.write_text(other_pack(own))
    result, report = certified.gate(pack="next")
    assert result.ret == 10
    assert "packs/next.planck has" in report["reasons"][0]
    own.write_text(text)
    assert read_certificate(own).pack.name == "next.planck"


def test_another_baseline_is_named_by_path(certified: GateProject) -> None:
    certified.answer("two", "    return 0\n", pack="next")
    moved = certified.path / "elsewhere.json"
    certified.certificate().rename(moved)
    result, report = certified.gate(pack="next")
    assert report["baseline"]["where"].startswith("none: ")
    result, report = certified.gate("--gate-baseline=elsewhere.json", pack="next")
    assert (result.ret, report["baseline"]["where"]) == (1, "elsewhere.json")


def test_another_baseline_is_named_by_revision(certified: GateProject) -> None:
    certified.commit()
    certified.certificate().unlink()
    certified.write_production("next")
    certified.answer("two", "    return 0\n", pack="next")
    for name in ("packs/production.toml", "packs/certificates/tiny.json"):
        result, report = certified.gate(f"--gate-baseline=HEAD:{name}", pack="next")
        assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])
        assert report["baseline"]["where"] == "HEAD:packs/certificates/tiny.json"


def test_a_revision_without_a_production_pack_has_no_baseline(project: GateProject) -> None:
    project.commit()
    result, report = project.gate("--gate-baseline=HEAD:packs/production.toml")
    assert result.ret == 0
    assert report["baseline"]["where"] == "none: HEAD:packs/production.toml does not exist"


@pytest.mark.parametrize(
    ("baseline", "wrong"),
    [
        ("gone.json", "--gate-baseline=gone.json: no such file. *"),
        ("packs/production.toml", "--gate-baseline=packs/production.toml: no such file*"),
        ("HEAD:gone.json", "--gate-baseline=HEAD:gone.json: no such file. *"),
        ("nowhere:packs/production.toml", "*nowhere*"),
        ("HEAD:", "--gate-baseline=HEAD:: is neither PATH nor REV:PATH."),
    ],
)
def test_a_baseline_that_is_not_there_is_a_usage_error(
    project: GateProject, baseline: str, wrong: str
) -> None:
    project.commit()
    result = project.run("--pack", "tiny", "-m", "anchor", f"--gate-baseline={baseline}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {wrong}"])
