from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.option_table import OPTIONS
from pytest_anchorgate.ratchet import SESSION_TIMEOUT_S, anchors_at, ratchet
from pytest_anchorgate.tasks.suites import SuiteSpec, load_suite, parse_suite_spec
from pytest_anchorgate.tasks.task import Task
from tests.repository import Repository
from tests.strategies import TEXT, suites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROW = {"id": "demo/1", "prompt": "def f(x):\n", "entry_point": "f", "tests": ["assert f(1) == 1"]}
MBPP = {
    "task_id": 17,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
TASK = Task(id="demo/1", suite="anchor", prompt="p", entry_point="f", tests=("t",), origin="a:1")
ADVICE = "Put it back as it was, or waive it in anchors/waivers.toml."
PLAIN = st.dictionaries(TEXT.map("tests/test_x.py::{}".format), st.sampled_from("ab"), max_size=4)
FILE = "anchors/own.jsonl"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def rows(*changes: dict[str, Any]) -> str:
    return "".join(json.dumps({**ROW, **change}) + "\n" for change in changes)


def at(repository: Repository, revision: str, *specs: str, **references: SuiteSpec) -> list[Task]:
    absolute = [parse_suite_spec(str(repository.root / spec)) for spec in specs or (FILE,)]
    return list(anchors_at(repository.root, revision, absolute, references=references))


def breaches(
    before: Sequence[Task] = (),
    now: Sequence[Task] = (),
    plain_before: Mapping[str, str] | None = None,
    plain_now: Mapping[str, str] | None = None,
    waived: Sequence[str] = (),
) -> tuple[str, ...]:
    return ratchet(
        before, now, plain_before=plain_before or {}, plain_now=plain_now or {}, waived=waived
    )


class TestBreaches:
    @given(suites(), PLAIN)
    def test_what_stays_as_it_is_breaks_nothing(self, tasks, plain):
        assert breaches(tasks, tasks, plain, plain) == ()

    @given(suites(), suites(), PLAIN, PLAIN)
    def test_adding_anchors_breaks_nothing(self, tasks, more, plain, more_plain):
        known = {task.id for task in tasks}
        grown = [task for task in more if task.id not in known] + tasks
        assert breaches(tasks, grown, plain, {**more_plain, **plain}) == ()

    @given(suites().filter(bool), st.data())
    def test_removing_a_row_is_one_sentence_that_names_it(self, tasks, data):
        gone = data.draw(st.sampled_from(tasks))
        (line,) = breaches(tasks, [task for task in tasks if task is not gone])
        assert line.startswith(f"{gone.id}: this anchor is gone")

    @given(PLAIN.filter(bool), st.data())
    def test_removing_a_plain_anchor_is_one_sentence_that_names_it(self, plain, data):
        gone = data.draw(st.sampled_from(sorted(plain)))
        left = {name: digest for name, digest in plain.items() if name != gone}
        assert breaches((), (), plain, left) == (f"{gone}: this plain anchor is gone. {ADVICE}",)

    @given(suites(), suites(), PLAIN, PLAIN, st.randoms(use_true_random=False))
    def test_order_changes_nothing(self, before, now, plain_before, plain_now, random):
        said = breaches(before, now, plain_before, plain_now)
        for tasks in (before, now):
            random.shuffle(tasks)
        mixed = dict(random.sample(list(plain_before.items()), len(plain_before)))
        assert breaches(before, now, mixed, plain_now) == said

    @given(suites(), suites(), PLAIN, PLAIN)
    def test_what_is_waived_is_no_breach(self, before, now, plain_before, plain_now):
        everything = [task.id for task in before] + list(plain_before)
        assert breaches(before, now, plain_before, plain_now, everything) == ()

    @pytest.mark.parametrize(
        ("before", "now", "what"),
        [
            ({}, {"prompt": "q"}, "text or tests changed (a:1)"),
            ({}, {"tests": ("t", "u")}, "text or tests changed (a:1)"),
            ({}, {"setup": "x = 1"}, "text or tests changed (a:1)"),
            ({}, {"timeout_s": 60.0}, "time limit rose from 3 s to 60 s (a:1)"),
            ({"timeout_s": 1.5}, {"timeout_s": 2}, "time limit rose from 1.5 s to 2 s (a:1)"),
            ({"timeout_s": 1}, {}, "time limit rose from 1 s to 3 s (a:1)"),
            ({}, {"together": True}, "tests now run beside the program that they judge (a:1)"),
        ],
    )
    def test_a_loosened_anchor_says_how(self, before, now, what):
        said = breaches([replace(TASK, **before)], [replace(TASK, **now)])
        assert said == (f"demo/1: this anchor's {what}. {ADVICE}",)

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            ({}, {"timeout_s": 1.0}),
            ({"timeout_s": 60.0}, {}),
            ({"together": True}, {}),
            ({}, {"origin": "b:7"}),
        ],
    )
    def test_a_stricter_or_moved_anchor_is_no_breach(self, before, now):
        assert breaches([replace(TASK, **before)], [replace(TASK, **now)]) == ()

    def test_a_sentinel_stays_one_and_no_other_becomes_one(self):
        marked = replace(TASK, sentinel=True)
        (lost,), (made,) = breaches([marked], [TASK]), breaches([TASK], [marked])
        assert lost == f"demo/1: this anchor is no sentinel any more (a:1). {ADVICE}"
        assert made == f"demo/1: this anchor became a sentinel (a:1). {ADVICE}"

    def test_each_breach_of_a_task_is_told_and_tasks_are_sorted(self):
        now = replace(TASK, prompt="q", timeout_s=9.0, together=True, sentinel=True)
        said = breaches([TASK, replace(TASK, id="a", origin="")], [now], {"b": "1"}, {"b": "2"})
        assert [line.split(":")[0] for line in said] == ["a", "b", *["demo/1"] * 4]
        assert said[0] == f"a: this anchor is gone. {ADVICE}"
        assert said[1] == f"b: this plain anchor's source changed. {ADVICE}"

    def test_the_sessions_limit_may_be_another(self):
        now = [replace(TASK, timeout_s=5.0)]
        said = ratchet(
            [TASK], now, plain_before={}, plain_now={}, waived=(), session_timeout_s=10.0
        )
        assert said == ()

    def test_the_default_limit_is_the_options(self):
        (default,) = (option.default for option in OPTIONS if option.flag == "--gate-timeout")
        assert float(default or 0) == SESSION_TIMEOUT_S


class TestAnchorsAt:
    def test_anchors_are_those_of_the_revision(self, repository):
        repository.commit({FILE: rows({}, {"id": "demo/2", "sentinel": True})})
        repository.commit({FILE: rows({"id": "demo/3"})})
        repository.write({FILE: rows({"id": "demo/4"})})
        old = at(repository, "main~1")
        assert [task.id for task in old] == ["demo/1", "demo/2"]
        assert [task.sentinel for task in old] == [False, True]
        assert old[1].origin == f"main~1:{FILE}:2"
        assert [task.id for task in at(repository, "main")] == ["demo/3"]

    def test_what_did_not_change_is_equal_but_for_its_origin(self, repository):
        repository.commit({FILE: rows({}, {"id": "demo/2", "timeout_s": 9})})
        now = load_suite("anchor", [SuiteSpec(path=repository.root / FILE)], resolve={})
        assert [replace(task, origin="") for task in at(repository, "HEAD")] == [
            replace(task, origin="") for task in now
        ]

    def test_a_file_that_was_not_there_or_was_empty_held_none(self, repository):
        repository.commit({FILE: rows({}), "anchors/empty.jsonl": "\n"})
        names = [FILE, "anchors/later.jsonl", "anchors/empty.jsonl"]
        assert [task.id for task in at(repository, "main", *names)] == ["demo/1"]
        assert at(repository, "main", *names[1:]) == []

    def test_a_range_takes_the_rows_that_it_takes_now(self, repository):
        repository.commit({FILE: rows({}, {"id": "demo/2"}, {"id": "demo/3"})})
        assert [task.id for task in at(repository, "main", f"{FILE}:2-9")] == ["demo/2", "demo/3"]
        assert at(repository, "main", f"{FILE}:7-9") == []

    def test_a_gzipped_file_is_read(self, repository):
        repository.commit({"own.jsonl.gz": gzip.compress(rows({}).encode())})
        assert [task.id for task in at(repository, "main", "own.jsonl.gz")] == ["demo/1"]

    def test_a_reference_is_the_task_of_todays_suite_file(self, repository, tmp_path):
        suite = tmp_path / "mbpp.jsonl"
        suite.write_text(json.dumps(MBPP), encoding="utf-8")
        repository.commit({FILE: '{"ref": "mbpp/17"}\n'})
        (task,) = at(repository, "main", mbpp=SuiteSpec(path=suite))
        assert (task.id, task.tests) == ("MBPP/17", ("assert add(1, 2) == 3",))

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"id": "x"}', "missing required field `prompt`"),
            ("nonsense", "malformed"),
            ('{"ref": "MBPP/17"}', "MBPP/17 refers to the suite 'mbpp', which has no file"),
            (rows({}).strip(), "the task id 'demo/1' is already at main:anchors/own.jsonl:1"),
        ],
    )
    def test_a_row_that_cannot_be_read_names_revision_file_and_line(
        self, repository, line, message
    ):
        repository.commit({FILE: f"{rows({})}{line}\n"})
        with pytest.raises(UsageError, match=rf"^main:{FILE}:2: .*{message}.*anchor of 'main'\.$"):
            at(repository, "main")

    def test_a_file_outside_the_repository_is_refused(self, repository, tmp_path):
        repository.commit()
        with pytest.raises(UsageError, match=r"own\.jsonl: lies outside the repository"):
            at(repository, "main", str(tmp_path / "own.jsonl"))

    def test_a_moved_row_is_still_there(self, repository):
        repository.commit({FILE: rows({}, {"id": "demo/2"}), "b.jsonl": rows({"id": "demo/3"})})
        repository.write({FILE: rows({}), "b.jsonl": rows({"id": "demo/3"}, {"id": "demo/2"})})
        specs = [SuiteSpec(path=repository.root / name) for name in (FILE, "b.jsonl")]
        now = load_suite("anchor", specs, resolve={})
        assert breaches(at(repository, "main", FILE, "b.jsonl"), now) == ()
