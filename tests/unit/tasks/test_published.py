"""MBPP, EvalPlus and HumanEval files: small ones written here, and the real ones where present."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.exceptions import load_exceptions
from pytest_anchorgate.tasks.mbpp import find_entry_point
from pytest_anchorgate.tasks.suites import (
    SUITES,
    SuiteSpec,
    load_references,
    load_suite,
    parse_suite_spec,
)
from pytest_anchorgate.tasks.task import canonical_id

if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).resolve().parents[3]
MBPP = {
    "task_id": 4,
    "text": "Write a function to add.",
    "code": "class Pair:\r\n    pass\r\ndef help(a):\r\n    return a\r\n"
    "def add(a, b):\r\n    return help(a) + b",
    "test_list": ["assert set([add(1, 2)]) == {3}"],
    "test_setup_code": "x = 1\r\ny = 2\r\n",
    "challenge_test_list": ["assert False"],
}
PLUS = {
    "task_id": "Mbpp/9",
    "prompt": '"""\nAdd.\nassert add(1, 2) == 3\n"""\n',
    "entry_point": "add",
    "canonical_solution": "\ndef add(a, b):\n    return a + b\n",
    "assertion": "\nimport math\n\nassert math.isclose(add(1, 2),\n    3)\nassert add(0, 0) == 0\n",
    "plus_input": [[float("nan")]],
}
HUMAN = {
    "task_id": "HumanEval/3",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def spec_of(folder: Path, *rows: dict[str, Any]) -> SuiteSpec:
    path = folder / "any-name"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return SuiteSpec(path=path)


def load(name: str, spec: SuiteSpec):
    return load_suite(name, [spec], resolve={})


def test_an_mbpp_row_becomes_a_docstring_prompt(tmp_path):
    (task,) = load("mbpp", spec_of(tmp_path, MBPP))
    assert task.id == "MBPP/4"
    assert task.prompt == '"""\nWrite a function to add.\nassert set([add(1, 2)]) == {3}\n"""\n'
    assert task.text == "Write a function to add."
    assert task.entry_point == "add"
    assert task.tests == ("assert set([add(1, 2)]) == {3}",)
    assert task.setup == "x = 1\ny = 2\n"


def test_an_evalplus_row_keeps_its_prompt_and_splits_its_asserts(tmp_path):
    (task,) = load("mbpp", spec_of(tmp_path, PLUS))
    assert (task.id, task.prompt, task.text) == ("MBPP/9", PLUS["prompt"], "")
    assert task.setup == "import math\n"
    assert task.tests == ("assert math.isclose(add(1, 2),\n    3)", "assert add(0, 0) == 0")


def test_a_humaneval_row_is_tested_by_its_check(tmp_path):
    (task,) = load("humaneval", spec_of(tmp_path, HUMAN))
    assert (task.id, task.prompt, task.entry_point) == ("HumanEval/3", "def add(a, b):\n", "add")
    assert task.tests == (HUMAN["test"], "check(add)")


def test_references_continue_their_prompts(tmp_path):
    assert load_references(spec_of(tmp_path, HUMAN)) == {"HumanEval/3": "    return a + b\n"}
    (reference,) = load_references(spec_of(tmp_path, MBPP)).values()
    assert "\r" not in reference
    assert reference.endswith("help(a) + b\n")
    assert set(load_references(spec_of(tmp_path, PLUS))) == {"MBPP/9"}


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("mbpp", {**MBPP, "task_id": "4"}, "task_id: Expected `int`, got `str`: '4'"),
        ("mbpp", {**MBPP, "test_list": []}, "test_list is empty: MBPP/4"),
        ("mbpp", {**MBPP, "code": "def sub(): pass"}, "no test calls a function of code: 'assert"),
        ("mbpp", {**PLUS, "assertion": "assert ("}, r"assertion is not Python: 'assert \('"),
        ("mbpp", {**PLUS, "assertion": "x = 1"}, "assertion asserts nothing: 'x = 1'"),
        ("mbpp", {**PLUS, "task_id": "Mbpp"}, "task_id 'Mbpp' does not end in /N"),
        ("humaneval", {**HUMAN, "prompt": 1}, "prompt: Expected `str`, got `int`: 1"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(tmp_path, name, row, message):
    with pytest.raises(TaskFileError, match=f"any-name:1: .*{message}"):
        load(name, spec_of(tmp_path, row))


def test_references_of_own_rows_do_not_exist(tmp_path):
    with pytest.raises(TaskFileError, match="any-name:1: a row with the fields id"):
        load_references(spec_of(tmp_path, {"id": "x"}))
    with pytest.raises(TaskFileError, match="any-name: the file is empty"):
        load_references(spec_of(tmp_path))


@pytest.mark.parametrize(
    ("code", "test", "name"),
    [
        ("def f(x): return x", "assert set(f([1])) == {1}", "f"),
        ("def f(x): return x", "assert math.isclose(f(1), 1.0, rel_tol=0.1)", "f"),
        ("def g(x): return x\ndef f(x): return g(x)", "assert f(g(1)) == 1", "f"),
        ("class P: pass\ndef f(x): return x", "assert P() and f(P())", "f"),
        ("class P: pass", "assert P()", "P"),
        ("def sum(x): return x", "assert sum(1) == 1", "sum"),
        ("def f(x): return x", "assert g(1)", None),
    ],
)
def test_the_entry_point_is_the_outermost_function_that_the_code_defines(code, test, name):
    assert find_entry_point(code, (test,)) == name


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("Mbpp/17", "MBPP/17"),
        ("HumanEval/0", "HumanEval/0"),
        ("humaneval/007", "HumanEval/7"),
        ("own/1", "own/1"),
        ("Mbpp", "Mbpp"),
    ],
)
def test_suite_ids_have_one_spelling(given, canonical):
    assert canonical_id(given) == canonical


def test_every_suite_is_supplied_by_an_option():
    assert {name: suite.option for name, suite in SUITES.items()} == {
        "anchor": "--gate-anchors",
        "mbpp": "--gate-mbpp",
        "humaneval": "--gate-humaneval",
        "livecodebench": "--gate-livecodebench",
    }


class TestRealFiles:
    def test_sizes_and_order(self, mbpp, mbpp_plus, humaneval):
        assert [task.number for task in load("mbpp", mbpp)] == list(range(1, 975))
        assert len(load("mbpp", mbpp_plus)) == 399
        assert [task.id for task in load("humaneval", humaneval)] == [
            f"HumanEval/{number}" for number in range(164)
        ]
        seed = load("mbpp", parse_suite_spec(f"{mbpp.path}:11-110"))
        assert [task.number for task in seed] == list(range(11, 111))

    def test_scanned_entry_points_are_the_trees(self, mbpp):
        references = load_references(mbpp)
        for task in load("mbpp", mbpp):
            assert task.entry_point == find_entry_point(references[task.id], task.tests), task.id

    def test_entry_points_are_those_of_evalplus_where_it_kept_the_names(self, mbpp, mbpp_plus):
        tasks = {task.id: task for task in load("mbpp", mbpp)}
        kept = [
            task
            for task in load("mbpp", mbpp_plus)
            if f"{task.entry_point}(" in "".join(tasks[task.id].tests)
        ]
        assert len(kept) >= 380
        for task in kept:
            assert task.entry_point == tasks[task.id].entry_point, task.id

    def test_every_prompt_and_test_parses(self, mbpp, mbpp_plus, humaneval):
        for name, spec in (("mbpp", mbpp), ("mbpp", mbpp_plus), ("humaneval", humaneval)):
            for task in load(name, spec):
                ast.parse(task.prompt)
                assert [ast.parse(test) for test in task.tests]
                assert "\r" not in task.setup + task.prompt

    def test_the_seeds_anchors_resolve(self, mbpp, humaneval):
        spec = SuiteSpec(path=ROOT / "anchors" / "bd6.jsonl")
        tasks = load_suite("anchor", [spec], resolve={"mbpp": mbpp, "humaneval": humaneval})
        wanted = {
            "MBPP": [17, 19, 20, 41, 51, 52, 53, 64, 90, 93, 96, 99, 105],
            "HumanEval": [23, 27, 34, 45, 53, 85],
        }
        assert [task.id for task in tasks] == [
            f"{suite}/{number}" for suite, numbers in wanted.items() for number in numbers
        ]
        assert Counter(task.suite for task in tasks) == {"anchor": 19}

    def test_the_seeds_anchors_need_the_whole_mbpp(self, mbpp_plus, humaneval):
        spec = SuiteSpec(path=ROOT / "anchors" / "bd6.jsonl")
        message = r"bd6\.jsonl:\d+: MBPP/\d+ is not in .*\(EvalPlus MBPP, 399 tasks\).*--gate-mbpp"
        with pytest.raises(TaskFileError, match=message):
            load_suite("anchor", [spec], resolve={"mbpp": mbpp_plus, "humaneval": humaneval})

    def test_loading_is_cheap(self, mbpp, humaneval):
        start = perf_counter()
        load("mbpp", mbpp)
        load("humaneval", humaneval)
        assert perf_counter() - start < 0.3  # 0.03 s when written

    def test_exceptions_are_of_real_tasks(self, mbpp, mbpp_plus, humaneval):
        tasks = [*load("mbpp", mbpp), *load("mbpp", mbpp_plus), *load("humaneval", humaneval)]
        limits = {task.digest: task.timeout_s for task in tasks}
        for digest, exception in load_exceptions().items():
            assert limits[digest] == exception.timeout_s
