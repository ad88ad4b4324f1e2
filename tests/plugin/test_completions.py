"""Judging completions that somebody else generated: no pack, no model, no torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.conftest import body, prompt
from tests.shared import shared_data

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject


def write_samples(project: GateProject, *samples: dict[str, Any]) -> None:
    text = "".join(json.dumps(sample) + "\n" for sample in samples)
    (project.path / "samples.jsonl").write_text(text)


def judge(project: GateProject, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    result = project.run(
        "-m", "anchor", "--gate-completions", "samples.jsonl", "--gate-json", "out.json", *arguments
    )
    return result, json.loads((project.path / "out.json").read_text())


@pytest.mark.parametrize("way", [(), ("-n2",), ("-p", "no:xdist")], ids=["n0", "n2", "no xdist"])
def test_samples_are_judged_without_a_pack(project: GateProject, way: tuple[str, ...]) -> None:
    write_samples(
        project,
        {"task_id": "own/two", "completion": body("two")},
        {"task_id": "own/seven", "solution": prompt("seven") + body("seven")},
    )
    result, report = judge(project, *way)
    result.assert_outcomes(passed=2)
    assert (result.ret, report["decision"], report["pack"]) == (0, "accepted", None)
    assert report["completions"]["tasks_without_answer"] == 2
    result.stdout.fnmatch_lines(["samples*2 tasks have no completion and were not run"])
    assert project.loads() == 0


def test_a_failing_sample_refuses(project: GateProject) -> None:
    write_samples(project, {"task_id": "own/two", "completion": "    return 0\n"})
    result, report = judge(project)
    assert (result.ret, report["decision"]) == (1, "refused")


def test_several_samples_of_a_task_are_several_items(project: GateProject) -> None:
    good, bad = body("two"), "    return 0\n"
    write_samples(project, *({"task_id": "own/two", "completion": c} for c in (good, bad, good)))
    _, report = judge(project, "-n2")
    verdicts = [(task["id"], task["sample"], task["status"]) for task in report["tasks"]]
    assert verdicts == [
        ("own/two", 0, "passed"), ("own/two", 1, "failed"), ("own/two", 2, "passed")
    ]  # fmt: skip
    assert report["lost"] == ["anchor:own/two-s1"]


def test_completions_of_unknown_tasks_are_counted(project: GateProject) -> None:
    write_samples(
        project,
        {"task_id": "own/two", "completion": body("two")},
        {"task_id": "own/other", "completion": ""},
    )
    result, report = judge(project)
    assert report["completions"]["answers_without_task"] == ["own/other"]
    result.stdout.fnmatch_lines(["samples*1 completions belong to no selected task: own/other"])


def test_a_bad_row_is_a_usage_error_with_its_line(project: GateProject) -> None:
    write_samples(project, {"task_id": "own/two"})
    result = project.run("-m", "anchor", "--gate-completions", "samples.jsonl", "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *samples.jsonl:1*"])


def test_a_plain_anchor_cannot_ask_samples(project: GateProject) -> None:
    write_samples(project, {"task_id": "own/two", "completion": body("two")})
    (project.path / "tests" / "gate" / "test_plain.py").write_text(
        "import pytest\n@pytest.mark.anchor\ndef test_x(planck): planck.complete('x')\n"
    )
    result, report = judge(project)
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(["*planck.complete() has no model to ask*"])


def test_own_rows_may_refer_to_a_suite(project: GateProject) -> None:
    data = shared_data()
    (project.path / "anchors.jsonl").write_text('{"ref": "HumanEval/23"}\n')
    samples = data / "samples" / "qwen2.5-coder-1.5b-humaneval" / "generated.jsonl"
    arguments = ("-m", "anchor", f"--gate-completions={samples}")
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *anchors.jsonl:1: HumanEval/23*--gate-humaneval PATH.*"])
    suite = f"--gate-humaneval={data / 'humaneval' / 'HumanEval.jsonl.gz'}"
    result = project.run(*arguments, suite)
    assert result.ret == 0
    result.assert_outcomes(passed=1)


def test_a_wrong_prompt_style_is_a_usage_error_for_samples_too(project: GateProject) -> None:
    write_samples(project, {"task_id": "own/two", "completion": body("two")})
    arguments = ("-m", "anchor", "--gate-completions", "samples.jsonl", "--gate-prompt", "haiku")
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --gate-prompt=haiku: no such prompt style.*"])
