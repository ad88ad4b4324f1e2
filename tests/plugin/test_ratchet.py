"""Anchors cannot go quietly: the ratchet, waivers, and what the ini file named before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import INI

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

RATCHET = "--gate-ratchet=HEAD"
PLAIN = """
import pytest


@pytest.mark.anchor
def test_it_answers(planck):
    assert planck.complete({prompt!r}).strip() == {answer!r}
"""


def remove_first(project: GateProject) -> None:
    path = project.path / "anchors.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def waive(project: GateProject, task: str, expires: str) -> None:
    (project.path / "anchors").mkdir(exist_ok=True)
    (project.path / "anchors" / "waivers.toml").write_text(
        f'[[waiver]]\ntask = "{task}"\nreason = "its text was wrong"\nowner = "ada"\n'
        f"expires = {expires}\n"
    )


def test_anchors_that_stayed_pass_the_ratchet(project: GateProject) -> None:
    project.commit()
    project.add_anchor("four")
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (0, "accepted")


def test_an_anchor_that_was_taken_away_refuses(project: GateProject) -> None:
    project.commit()
    remove_first(project)
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (1, "refused")
    (reason,) = report["reasons"]
    assert reason.startswith("own/two: ")
    assert "anchors/waivers.toml" in reason


def test_an_anchor_whose_tests_changed_refuses(project: GateProject) -> None:
    project.commit()
    path = project.path / "anchors.jsonl"
    path.write_text(path.read_text().replace("assert two(1) == 4", "assert two(1) > 0"))
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (1, "refused")
    assert report["reasons"][0].startswith("own/two: ")


def test_a_waiver_lets_an_anchor_go_until_it_expires(certified: GateProject) -> None:
    certified.commit()
    remove_first(certified)
    waive(certified, "own/two", "2999-12-31")
    result, report = certified.gate(RATCHET, pack="next")
    assert (result.ret, report["decision"]) == (0, "accepted")
    waive(certified, "own/two", "2026-01-31")
    result, report = certified.gate(RATCHET, pack="next")
    assert (result.ret, report["decision"]) == (1, "refused")
    assert report["reasons"][0].startswith(
        "anchors/waivers.toml: the waiver of 'own/two' (ada, its text was wrong) expired on "
        "2026-01-31."
    )
    assert report["deselected"] == ["anchor:own/two"]


def test_a_waived_anchor_may_change_and_must_then_pass_anew(certified: GateProject) -> None:
    path = certified.path / "anchors.jsonl"
    path.write_text(path.read_text().replace("assert two(1) == 4", "assert two(1) > 0"))
    waive(certified, "own/two", "2999-12-31")
    result, report = certified.gate(pack="next")
    assert (result.ret, report["tasks"][0]["outcome"]) == (0, "passed")
    certified.answer("two", "    return -1\n", pack="next")
    certified.path.joinpath("packs", "certificates", "next.json").unlink(missing_ok=True)
    result, report = certified.gate("--gate-store=other", pack="next")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])


def test_a_waiver_excuses_no_loss(certified: GateProject) -> None:
    waive(certified, "own/two", "2999-12-31")
    certified.answer("two", "    return -1\n", pack="next")
    result, report = certified.gate(pack="next")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])


@pytest.mark.parametrize(
    ("waiver", "wrong"),
    [
        ("[[waiver]]\ntask = 'own/two'\n", "*anchors/waivers.toml*1*reason*"),
        ("waiver = 3", "*anchors/waivers.toml*"),
    ],
)
def test_a_wrong_waiver_is_a_usage_error(project: GateProject, waiver: str, wrong: str) -> None:
    (project.path / "anchors").mkdir()
    (project.path / "anchors" / "waivers.toml").write_text(waiver)
    result = project.run("--pack", "tiny", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {wrong}"])


def test_an_anchors_file_that_the_ini_no_longer_names_is_missed(project: GateProject) -> None:
    (project.path / "more.jsonl").write_text((project.path / "anchors.jsonl").read_text())
    project.commit()
    (project.path / "pytest.ini").write_text(INI.replace("anchors.jsonl", "fewer.jsonl"))
    lines = (project.path / "anchors.jsonl").read_text().splitlines(keepends=True)
    (project.path / "fewer.jsonl").write_text("".join(lines[:2]))
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (1, "refused")
    assert len(report["reasons"]) == 2
    result, report = project.gate(RATCHET, "--gate-anchors=fewer.jsonl")
    assert result.ret == 0, "what the command line names is the user's own choice"


def test_a_plain_anchor_is_ratcheted_like_a_row(project: GateProject) -> None:
    test = project.path / "tests" / "gate" / "test_plain.py"
    test.write_text(PLAIN.format(prompt="def f", answer="nothing"))
    project.commit()
    assert project.gate(RATCHET)[0].ret == 0
    test.write_text(PLAIN.format(prompt="def f", answer="nothing") + "    assert planck\n")
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (1, "refused")
    assert report["reasons"][0].startswith("tests/gate/test_plain.py::test_it_answers: ")
    test.unlink()
    result, report = project.gate(RATCHET)
    assert (result.ret, report["decision"]) == (1, "refused")


def test_a_plain_anchor_is_certified_and_missed_like_a_row(certified: GateProject) -> None:
    test = certified.path / "tests" / "gate" / "test_plain.py"
    test.write_text(PLAIN.format(prompt="def f", answer="nothing"))
    assert certified.gate("--gate-certify")[0].ret == 0
    result, report = certified.gate("-n2", pack="next")
    assert (result.ret, report["tasks"][-1]["outcome"]) == (0, "kept")
    test.unlink()
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert report["deselected"] == ["anchor:tests/gate/test_plain.py::test_it_answers"]


@pytest.mark.parametrize(
    ("revision", "wrong"), [("nowhere", "*nowhere*"), ("-x", "*-x*")], ids=["unknown", "an option"]
)
def test_a_revision_that_is_not_there_is_a_usage_error(
    project: GateProject, revision: str, wrong: str
) -> None:
    project.commit()
    result = project.run("--pack", "tiny", "-m", "anchor", f"--gate-ratchet={revision}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {wrong}"])


def test_without_git_the_ratchet_says_what_it_needs(project: GateProject) -> None:
    result = project.run("--pack", "tiny", "-m", "anchor", "--gate-ratchet=HEAD")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *git*"])
