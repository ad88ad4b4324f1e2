"""From verdicts to exit status, in every way that people run pytest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.verify import VERIFIER_VERSION
from tests.plugin.conftest import body, prompt, row

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

WAYS = pytest.mark.parametrize(
    "way", [(), ("-n2",), ("-p", "no:xdist")], ids=["n0", "n2", "no xdist"]
)


@WAYS
def test_a_pack_that_solves_every_anchor_is_accepted(
    project: GateProject, way: tuple[str, ...]
) -> None:
    result, report = project.gate(*way)
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ACCEPTED: all 4 planned tasks passed"])
    assert report["decision"] == "accepted"
    assert report["verifier"] == VERIFIER_VERSION
    assert [task["id"] for task in report["tasks"]] == [
        "own/two", "own/three", "own/seven", "own/eleven"
    ]  # fmt: skip
    assert project.loads() == 1


@WAYS
def test_a_lost_anchor_is_refused_and_shown_with_its_values(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("seven", "    return n + 6\n")
    result, report = project.gate(*way)
    result.assert_outcomes(passed=3, failed=1)
    assert result.ret == 1
    assert (report["decision"], report["lost"]) == ("refused", ["anchor:own/seven"])
    result.stdout.fnmatch_lines(
        ["own/seven: failed: assert 7 == 6", "REFUSED: 1 anchor lost", "FAILED *own/seven?*"]
    )


def test_a_second_run_generates_nothing_and_says_so(project: GateProject) -> None:
    project.gate()
    result, report = project.gate("-n2")
    result.stdout.fnmatch_lines(["answers*0 generated*4 reused*the model was not loaded"])
    assert (report["completions"]["generated"], report["completions"]["reused"]) == (0, 4)
    assert project.loads() == 1


def test_verdicts_do_not_depend_on_workers_or_order(project: GateProject) -> None:
    project.answer("two", "    return 0\n")
    runs = [project.gate(*way)[1] for way in ((), ("-n2",), ("-p", "randomly"), ("-n3",))]
    verdicts = [[(t["id"], t["status"], t["program"]) for t in run["tasks"]] for run in runs]
    assert all(verdict == verdicts[0] for verdict in verdicts)


@pytest.mark.parametrize(
    "narrowing",
    [
        ("-k", "seven"),
        ("--deselect", "tests/gate/test_gate.py::test_anchor[own/two]"),
        ("tests/gate/test_gate.py::test_anchor[own/seven]",),
    ],
    ids=["-k", "--deselect", "node id"],
)
def test_a_narrowed_run_is_partial_and_with_gate_whole_invalid(
    project: GateProject, narrowing: tuple[str, ...]
) -> None:
    result, report = project.gate(*narrowing)
    assert (result.ret, report["decision"]) == (0, "partial")
    result.stdout.fnmatch_lines(["PARTIAL: * of 4 planned tasks were left out"])
    result, report = project.gate("--gate-whole", *narrowing)
    assert (result.ret, report["decision"]) == (10, "invalid")


def test_a_narrowed_run_that_fails_keeps_pytests_exit_status(project: GateProject) -> None:
    project.answer("seven", "    return 0\n")
    result, report = project.gate("-k", "seven", "-n2")
    assert (result.ret, report["decision"]) == (1, "partial")


@WAYS
def test_stopping_at_the_first_loss_still_refuses(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("two", "    return 0\n")
    result, report = project.gate("-x", *way)
    assert (result.ret, report["decision"]) == (1, "refused")
    assert report["lost"] == ["anchor:own/two"]


def test_lf_runs_only_what_was_lost(project: GateProject) -> None:
    project.answer("seven", "    return 0\n")
    project.gate()
    result, report = project.gate("--lf")
    result.assert_outcomes(failed=1)
    assert report["decision"] == "partial"
    result, report = project.gate("--ff")
    assert report["decision"] == "refused"


def test_an_ordinary_failing_test_turns_zero_into_one(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_other.py").write_text(
        "import pytest\n@pytest.mark.anchor\n@pytest.mark.parametrize('n', [1])\n"
        "def test_fine(planck, n): assert planck.pack\n"
        "def test_plain_failure(): assert False\n"
    )
    result = project.run("--pack", "tiny", "--gate-json", "out.json")
    report = json.loads((project.path / "out.json").read_text())
    assert (result.ret, report["decision"]) == (1, "accepted")
    result.assert_outcomes(passed=5, failed=1, skipped=2)


@WAYS
def test_a_plain_test_is_an_anchor_too(project: GateProject, way: tuple[str, ...]) -> None:
    (project.path / "tests" / "gate" / "test_plain.py").write_text(
        "import pytest\n"
        "@pytest.mark.anchor\n"
        "def test_returns(planck):\n"
        f"    assert 'return' in planck.complete({prompt('two')!r})\n"
        "@pytest.mark.anchor\n"
        "def test_raises(planck):\n"
        f"    assert 'raise' in planck.complete({prompt('two')!r})\n"
    )
    result, report = project.gate(*way)
    result.assert_outcomes(passed=5, failed=1)
    assert result.ret == 1
    assert report["lost"] == ["anchor:tests/gate/test_plain.py::test_raises"]
    plain = {task["id"]: task["status"] for task in report["tasks"][4:]}
    assert plain == {
        "tests/gate/test_plain.py::test_raises": "failed",
        "tests/gate/test_plain.py::test_returns": "passed",
    }


def test_a_skipped_anchor_is_no_pass(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.skip(reason='today'))\n"
    )
    result, report = project.gate()
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert report["not_run"] == ["anchor:own/two"]


def test_an_anchor_that_the_project_drops_silently_is_no_pass(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items): del items[0]\n"
    )
    result, report = project.gate("-n2")
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(["INVALID: 1 of 4 planned tasks were not collected"])


def test_a_gate_file_that_cannot_be_collected_is_invalid(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_gate.py").write_text("import nothing_of_this_name\n")
    result, report = project.gate()
    assert (result.ret, report["decision"]) == (10, "invalid")


def test_a_suite_of_your_own_is_gated_by_its_marker(project: GateProject) -> None:
    (project.path / "mine.jsonl").write_text(json.dumps(row("two", id="mine/1")) + "\n")
    (project.path / "tests" / "gate" / "test_mine.py").write_text(
        "import pytest\n"
        "@pytest.mark.suite('mine.jsonl')\n"
        "def test_mine(planck, task): planck.verify(task)\n"
    )
    result = project.run("--pack", "tiny", "-m", "suite", "--gate-json", "out.json", "-n2")
    report = json.loads((project.path / "out.json").read_text())
    assert (result.ret, report["decision"]) == (0, "accepted")
    assert [(t["suite"], t["id"]) for t in report["tasks"]] == [("mine", "mine/1")]


def test_reruns_count_once_and_the_last_run_counts(project: GateProject) -> None:
    project.answer("seven", "    return 0\n")
    result, report = project.gate("--reruns", "1", "-n2")
    assert (result.ret, report["decision"], len(report["tasks"])) == (1, "refused", 4)


def test_junit_xml_carries_the_verdicts(project: GateProject) -> None:
    project.gate("--junitxml", "junit.xml", "-n2")
    text = (project.path / "junit.xml").read_text()
    assert text.count('<property name="anchorgate"') == 4
    assert "&quot;status&quot;: &quot;passed&quot;" in text


def test_an_answer_that_is_chosen_by_another_prompt_style(project: GateProject) -> None:
    _, report = project.gate("--gate-prompt", "paper")
    assert report["decision"] == "refused"  # the scripted model knows the plain prompts only
    _result, report = project.gate("--gate-prompt", "completion")
    assert report["tasks"][0]["completion"] == body("two")


def test_an_ordinary_failure_in_a_gated_session_keeps_its_traceback(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_other.py").write_text(
        "def test_compiles(): compile('a b', 'somewhere', 'exec')\n"
    )
    result = project.run("--pack", "tiny")
    result.stdout.fnmatch_lines([">*def test_compiles()*", "E*SyntaxError: invalid syntax"])


@WAYS
def test_progress_is_seen_while_the_model_answers(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("two", "<slow>")
    result, _ = project.gate(*way)
    result.stdout.fnmatch_lines(["anchorgate: ? of 4 completions, ? s"])
