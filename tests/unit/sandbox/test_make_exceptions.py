from __future__ import annotations

import json

import make_exceptions
import pytest

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.sandbox.outcome import Kind, Outcome
from pytest_anchorgate.tasks.task import Task

TASK = Task(id="MBPP/1", suite="mbpp", prompt="", entry_point="f", tests=())


@pytest.fixture
def suite(tmp_path):
    def write(solution):
        row = {
            "task_id": "HumanEval/0",
            "prompt": "def f(x):\n",
            "entry_point": "f",
            "canonical_solution": solution,
            "test": "def check(f):\n    assert f(1) == 2\n",
        }
        path = tmp_path / "suite.jsonl"
        path.write_text(json.dumps(row))
        return str(path)

    return write


def test_a_quick_solution_needs_no_exception(suite):
    assert make_exceptions.made_exceptions([suite("    return x + 1\n")], {}) == {}


def test_a_slow_solution_gets_one(suite, monkeypatch):
    monkeypatch.setattr(make_exceptions, "SLOW", 0.0)
    made = make_exceptions.made_exceptions([suite("    return x + 1\n")], {})
    assert [entry["timeout_s"] for entry in made.values()] == [10.0]


def test_a_wrong_solution_is_refused(suite):
    message = "HumanEval/0: its own solution: assert 1 == 2"
    with pytest.raises(AnchorgateError, match=message):
        make_exceptions.made_exceptions([suite("    return x\n")], {})


def test_a_new_limit_leaves_room_and_a_good_one_stays():
    def entry(cpu_s, recorded):
        apart = Outcome(kind=Kind.PASSED, cpu_s=cpu_s)
        return make_exceptions.entry(TASK, apart, None, recorded)

    made = entry(6.5, None)
    why = "MBPP/1: its reference solution needs 6.5 s of CPU time"
    assert made == {"timeout_s": 30.0, "why": why}
    assert entry(9.0, made) is made
    assert entry(16.0, made)["timeout_s"] == 70.0


def test_a_solution_that_passes_only_beside_its_tests_is_noted_with_its_reason():
    apart = Outcome(kind=Kind.NOT_PLAIN, reason="returned what is not plain data: A", cpu_s=9.0)
    together = Outcome(kind=Kind.PASSED, cpu_s=0.1)
    why = "apart from its tests its reference solution ends so: returned what is not plain data: A"
    made = make_exceptions.entry(TASK, apart, together, None)
    assert made == {"together": True, "why": f"MBPP/1: {why}"}
    assert make_exceptions.entry(TASK, together, None, None) == {}


def test_what_no_longer_holds_is_named(capsys):
    made = {"a" * 64: {"timeout_s": 10.0, "why": "MBPP/1: slow"}}
    recorded = {"b" * 64: {"timeout_s": 10.0, "why": "old"}}
    assert make_exceptions.compared(made, made) == 0
    assert make_exceptions.compared(made, recorded) == 1
    said = capsys.readouterr().out
    assert "aaaaaaaaaaaa does not hold: MBPP/1: slow. Make it again without --check." in said
    assert "bbbbbbbbbbbb does not hold: no reference solution needs it." in said
