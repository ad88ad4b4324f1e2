"""A loss under another engine or verifier than the baseline's counts once it is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.test_decisions import WAYS
from tests.plugin.test_ratchet import PLAIN

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

ENGINE = ('"device": "cpu"', '"device": "cuda"')
VERIFIER = ('"version": "', '"version": "older.')


def certify_otherwise(project: GateProject, *changes: tuple[str, str]) -> None:
    """Let the baseline have been certified by other machinery."""
    path = project.certificate()
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def lose_two(project: GateProject) -> None:
    project.answer("two", "    return 0\n", pack="next")


@WAYS
def test_a_loss_is_confirmed_by_asking_the_baselines_pack_again(
    certified: GateProject, way: tuple[str, ...]
) -> None:
    certify_otherwise(certified, ENGINE)
    lose_two(certified)
    result, report = certified.gate(*way, pack="next")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])
    result.stdout.fnmatch_lines(
        ["*certified under another engine; the baseline's pack was asked again"]
    )
    assert report["baseline"]["differs"] == ["engine"]
    assert certified.loads() == 2 + (certified.path / "out.json").exists() - 1


@WAYS
def test_what_the_baseline_does_not_solve_today_either_is_not_lost(
    certified: GateProject, way: tuple[str, ...]
) -> None:
    certify_otherwise(certified, ENGINE)
    lose_two(certified)
    certified.answer("two", "    return -1\n", pack="tiny")
    result, report = certified.gate("--gate-store=other", *way, pack="next")
    assert (result.ret, report["decision"]) == (0, "accepted")
    result.assert_outcomes(passed=3, xfailed=1)
    assert report["reasons"] == ["3 of 4 anchors kept, 1 known failure"]


def test_kept_anchors_stand_and_nobody_asks_the_baseline(certified: GateProject) -> None:
    certify_otherwise(certified, ENGINE)
    (certified.path / "packs" / "tiny.planck").unlink()
    certified.loads()
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (0, "accepted")


def test_without_the_baselines_bytes_a_loss_is_invalid(certified: GateProject) -> None:
    certify_otherwise(certified, ENGINE)
    lose_two(certified)
    (certified.path / "packs" / "tiny.planck").unlink()
    result, report = certified.gate("-n2", pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    (reason,) = report["reasons"]
    assert reason.startswith("anchor:own/two: was lost, but the baseline was certified under anoth")
    assert "is not in packs/ to be asked again" in reason
    result.assert_outcomes(passed=3, errors=1)


def test_under_another_verifier_the_baselines_own_answer_is_judged_again(
    certified: GateProject,
) -> None:
    certify_otherwise(certified, VERIFIER)
    (certified.path / "packs" / "tiny.planck").unlink()  # no model is needed for that
    lose_two(certified)
    result, report = certified.gate(pack="next")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])
    certify_otherwise(certified, ("return n + 3", "return n + 4"))
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (0, "accepted")
    assert report["tasks"][0]["outcome"] == "known failure"


def test_a_plain_test_that_is_lost_under_another_engine_is_undecided(
    certified: GateProject,
) -> None:
    (certified.path / "tests" / "gate" / "test_plain.py").write_text(
        PLAIN.format(prompt="def f", answer="nothing")
    )
    assert certified.gate("--gate-certify")[0].ret == 0
    certify_otherwise(certified, ENGINE)
    answers = (certified.path / "answers.json").read_text()
    (certified.path / "answers-next.json").write_text(answers[:-1] + ', "def f": "something"}')
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert "a plain test is not run on two packs" in report["reasons"][0]


@pytest.mark.parametrize("option", ["--gate-max-new-tokens=100", "--gate-prompt=paper"])
def test_another_way_to_ask_is_another_decoding(certified: GateProject, option: str) -> None:
    _, report = certified.gate(option, pack="next")
    assert report["baseline"]["differs"] == ["decoding"]
