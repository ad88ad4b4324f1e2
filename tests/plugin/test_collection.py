"""What is collected, when a session is gated, and what an ordinary run pays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import prompt, row

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

POISON = "raise RuntimeError('a library that only the model may import was imported')\n"


@pytest.fixture
def poisoned(project: GateProject, monkeypatch: pytest.MonkeyPatch) -> GateProject:
    """A project in which importing torch or transformers ends the process that does it."""
    folder = project.path / "poison"
    folder.mkdir()
    for name in ("torch", "transformers", "peft", "accelerate"):
        (folder / f"{name}.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--markers",),
        ("--collect-only", "-m", "anchor"),
        ("--collect-only", "--pack", "tiny"),
        ("--pack", "tiny", "-m", "anchor"),
        ("--pack", "tiny", "-m", "anchor", "-n2"),
    ],
    ids=" ".join,
)
def test_torch_is_never_imported_by_pytest_or_its_workers(
    poisoned: GateProject, arguments: tuple[str, ...]
) -> None:
    result = poisoned.run(*arguments)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert "may import" not in result.stdout.str() + result.stderr.str()


def test_the_real_engine_imports_torch_and_a_replay_does_not(
    poisoned: GateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = os.environ["PYTHONPATH"]
    clean = poison.partition(os.pathsep)[2]
    real = ("--gate-engine", "transformers", "--gate-max-new-tokens", "4")
    result, report = poisoned.gate(*real)
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert "may import was imported" in report["reasons"][0]
    monkeypatch.setenv("PYTHONPATH", clean)
    result, report = poisoned.gate(*real)
    assert (result.ret, report["completions"]["generated"]) == (1, 4)
    monkeypatch.setenv("PYTHONPATH", poison)
    result, report = poisoned.gate(*real, "-n2")
    assert (result.ret, report["completions"]["reused"]) == (1, 4)


def test_no_worker_has_torch_in_its_modules(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_modules.py").write_text(
        "import sys, pytest\n"
        "@pytest.mark.anchor\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_light(planck, n):\n"
        f"    planck.complete({prompt('two')!r})\n"
        "    assert not {'torch', 'transformers'} & sys.modules.keys()\n"
    )
    _result, report = project.gate("-n2", "--gate-engine", "transformers")
    plain = [task for task in report["tasks"] if "test_light" in task["id"]]
    assert [task["status"] for task in plain] == ["passed"] * 4


def test_a_plain_pytest_loads_no_model_and_skips_in_one_line(project: GateProject) -> None:
    result = project.run("-rs", "-n2")
    result.assert_outcomes(skipped=3)
    assert result.ret == 0
    lines = [line for line in result.stdout.lines if "no gate was asked for: give --pack" in line]
    assert len(lines) == 1
    assert lines[0].startswith("SKIPPED [3] ")
    assert project.loads() == 0
    assert not (project.path / ".anchorgate").exists()


def test_an_unrelated_marker_expression_is_no_gate(project: GateProject) -> None:
    result = project.run("-m", "not slow")
    result.assert_outcomes(skipped=3)
    assert result.ret == 0


def test_a_gate_collects_only_gate_paths(project: GateProject) -> None:
    (project.path / "tests" / "test_unit.py").write_text("raise RuntimeError('was imported')\n")
    (project.path / "tests" / "gate" / "conftest.py").write_text("SEEN = True\n")
    for way in ((), ("-n2",), ("-p", "no:xdist")):
        result, _ = project.gate(*way)
        assert result.ret == 0
    result, report = project.gate("tests")
    assert (result.ret, report["decision"]) == (10, "invalid")


def test_gate_paths_may_be_set_in_the_ini_file(project: GateProject) -> None:
    (project.path / "tests" / "gate").rename(project.path / "checks")
    with (project.path / "pytest.ini").open("a") as ini:
        ini.write("gate_paths = checks\n")
    result, _ = project.gate("-n2")
    assert result.ret == 0


def test_collect_only_lists_the_tasks_and_starts_nothing(project: GateProject) -> None:
    result = project.run("--collect-only", "-q", "-m", "anchor")
    lines = [line for line in result.stdout.lines if "::" in line]
    assert lines == [
        f"tests/gate/test_gate.py::test_anchor[own/{name}]"
        for name in ("two", "three", "seven", "eleven")
    ]
    assert not (project.path / ".anchorgate").exists()


def test_an_anchor_suite_without_a_file_is_a_usage_error(project: GateProject) -> None:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(ini.replace("gate_anchors = anchors.jsonl\n", ""))
    result = project.run("--pack", "tiny", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *selects anchor, and no file supplies its tasks.*"])


def test_an_empty_gate_anchors_says_that_all_anchors_are_plain_tests(project: GateProject) -> None:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(ini.replace("= anchors.jsonl", "="))
    (project.path / "tests" / "gate" / "test_gate.py").write_text(
        "import pytest\n"
        "@pytest.mark.anchor\n"
        f"def test_two(planck): assert planck.complete({prompt('two')!r})\n"
    )
    result, report = project.gate()
    assert (result.ret, report["decision"], len(report["tasks"])) == (0, "accepted", 1)


def test_an_empty_anchors_file_is_a_usage_error(project: GateProject) -> None:
    (project.path / "anchors.jsonl").write_text("")
    result = project.run("--pack", "tiny", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *anchors.jsonl: the file is empty.*"])


def test_a_wrong_row_is_a_usage_error_with_its_line(project: GateProject) -> None:
    with (project.path / "anchors.jsonl").open("a") as anchors:
        anchors.write(json.dumps(row("two", id="own/x", colour="red")) + "\n")
    result = project.run("--pack", "tiny", "-m", "anchor", "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *anchors.jsonl:5: *colour*"])


def test_a_missing_file_of_a_suite_marker_is_a_collection_error(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_mine.py").write_text(
        "import pytest\n"
        "@pytest.mark.suite('mine.jsonl')\n"
        "def test_mine(planck, task): planck.verify(task)\n"
    )
    result = project.run("--pack", "tiny", "-m", "suite")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*mine.jsonl*"])


def test_the_task_fixture_needs_a_suite_marker(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_bare.py").write_text(
        "def test_bare(task): raise AssertionError('ran')\n"
    )
    result = project.run("--pack", "tiny")
    result.assert_outcomes(passed=4, skipped=2, errors=1)
    result.stdout.fnmatch_lines(["*the `task` fixture needs a suite marker*"])


def test_planck_completes_and_verifies_in_any_gated_test(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_own.py").write_text(
        "from pytest_anchorgate.tasks.task import Task\n"
        "import pytest\n"
        "@pytest.mark.anchor\n"
        "def test_own(planck):\n"
        "    assert planck.pack.architecture == 'Qwen2ForCausalLM'\n"
        f"    task = Task(id='x', suite='mine', prompt={prompt('two')!r},\n"
        "                entry_point='two', tests=('assert two(1) == 4',))\n"
        "    verdict = planck.verify(task)\n"
        "    assert verdict.program.endswith('return n + 3\\n')\n"
    )
    result, _report = project.gate()
    assert result.ret == 0, result.stdout.str()


def test_a_prompt_over_the_context_is_refused_before_generation(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_long.py").write_text(
        "import pytest\n@pytest.mark.anchor\ndef test_long(planck): planck.complete('x ' * 3000)\n"
    )
    result, report = project.gate()
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(["*planck.complete(): a prompt of * exceed the pack's context*"])


def test_the_repositorys_own_gate_file_is_what_the_tests_use() -> None:
    path = Path(__file__).parent.parent / "gate" / "test_gate.py"
    assert "planck.verify(task)" in path.read_text("utf-8")
