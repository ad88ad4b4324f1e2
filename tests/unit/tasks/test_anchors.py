from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.tasks.suites import SuiteSpec, load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_anchorgate.tasks.task import Task

ROW = {
    "id": "demo/1",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "tests": ["assert f(1) == 1"],
}
MBPP_ROW = {
    "task_id": 17,
    "text": "Write a function to add.",
    "code": "def add(a, b):\r\n    return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": [],
}


def row(**changes: Any) -> str:
    fields = {key: value for key, value in {**ROW, **changes}.items() if value is not None}
    return json.dumps(fields)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., SuiteSpec]:
    def write(*lines: str, name: str = "own.jsonl") -> SuiteSpec:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return SuiteSpec(path=path)

    return write


def load(*specs: SuiteSpec, name: str = "anchor", **resolve: SuiteSpec) -> tuple[Task, ...]:
    return load_suite(name, specs, resolve=resolve)


def test_a_row_becomes_a_task(write):
    spec = write(
        row(text="Add.", setup="y = 1\n", sentinel=True, timeout_s=2.5, tests=["assert f(y)"] * 2)
    )
    (task,) = load(spec)
    assert task.id == "demo/1"
    assert task.suite == "anchor"
    assert task.prompt == "def f(x):\n"
    assert (task.text, task.setup, task.sentinel) == ("Add.", "y = 1\n", True)
    assert task.tests == ("assert f(y)", "assert f(y)")
    assert task.timeout_s == 2.5
    assert task.origin == f"{spec.path}:1"


def test_order_is_the_files_and_the_rows(write):
    one = write(row(id="b"), "", row(id="a"))
    two = write(row(id="0"), name="two.jsonl")
    assert [task.id for task in load(one, two)] == ["b", "a", "0"]
    assert [task.origin for task in load(one)] == [f"{one.path}:1", f"{one.path}:3"]


def test_any_other_name_is_a_users_own_suite(write):
    (task,) = load(write(row()), name="ours")
    assert task.suite == "ours"


def test_a_gzipped_file_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "own.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + row().encode() + b"\r\n"))
    assert len(load(SuiteSpec(path=path))) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row(extra=1), "unknown field `extra`"),
        (row(prompt=None), "missing required field `prompt`.*demo/1"),
        (row(id=3), "id: Expected `str`, got `int`: 3"),
        (row(tests=["assert f(1)", 7]), r"tests\[1\]: Expected `str`, got `int`: 7"),
        (row(tests=[]), r"tests: Expected `array` of length >= 1: \[\]"),
        (row(tests="assert f(1)"), "tests: Expected `array`, got `str`: 'assert f"),
        (row(sentinel="yes"), "sentinel: Expected `bool`, got `str`: 'yes'"),
        (row(timeout_s=0), "timeout_s: Expected `float` > 0.0: 0"),
        (row(timeout_s=True), "timeout_s: Expected .*got `bool`: True"),
        (row(timeout_s=1).replace("1}", "1e999}"), "out of range"),
        (row(timeout_s=1).replace("1}", "NaN}"), "malformed.*demo/1"),
        (row()[:-1], "truncated.*demo/1"),
        ('["demo"]', r"\['demo'\] is not a JSON object"),
        (row()[:-1] + ', "id": "b"}', "the key 'id' occurs twice"),
        (row(id="  "), "id '  ' is blank"),
        (row(id=" a"), "id ' a' is blank or holds white space"),
        (row(id="a\nb"), r"id 'a\\nb' .*do not print"),
        (row(entry_point="f x"), "entry_point 'f x' is not a name"),
        (row(entry_point="class"), "entry_point 'class' is not a name"),
        (row(tests=["assert f(1) =="]), r"tests\[0\]: invalid syntax: 'assert f\(1\) =='"),
        (row(tests=["# none"]), r"tests\[0\]: '# none' tests nothing"),
        (row(setup="x ="), "setup: invalid syntax: 'x ='"),
        (row(tests=["assert '\0'"]), r"tests\[0\]: a null byte"),
        (r'{"id": "\ud800 ......"}', "malformed"),
        ('{"ref": "MBPP/17", "id": "x"}', "unknown field `id`"),
        ('{"ref": 17}', "ref: Expected `str`, got `int`: 17"),
        ('{"ref": "Other/17"}', "'Other/17' names no suite's task. Write MBPP/N or HumanEval/N"),
        ('{"ref": "MBPP"}', "'MBPP' names no suite's task"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(write, line, message):
    spec = write(row(id="good"), line)
    with pytest.raises(TaskFileError, match=rf"own\.jsonl:2: .*{message}"):
        load(spec)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(TaskFileError, match=r"own\.jsonl:1: .*utf-8"):
        load(SuiteSpec(path=path))


def test_a_damaged_gzip_file_is_named(tmp_path):
    path = tmp_path / "own.gz"
    path.write_bytes(gzip.compress(row().encode())[:-9])
    with pytest.raises(TaskFileError, match=r"own\.gz: the gzip file is damaged"):
        load(SuiteSpec(path=path))


def test_a_repeated_id_names_both_places(write):
    one, two = write(row()), write(row(id="x"), row(), name="two.jsonl")
    message = r"two\.jsonl:2: the task id 'demo/1' is already at .*own\.jsonl:1"
    with pytest.raises(TaskFileError, match=message):
        load(one, two)


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_an_empty_file_is_refused(write, content):
    with pytest.raises(TaskFileError, match=r"own\.jsonl: the file is empty.*'anchor'"):
        load(write(content))


@pytest.mark.parametrize(
    ("name", "option"),
    [("anchor", "--gate-anchors"), ("mbpp", "--gate-mbpp"), ("ours", "suite 'ours'")],
)
def test_a_missing_file_names_the_option(tmp_path, name, option):
    spec = SuiteSpec(path=tmp_path / "gone.jsonl")
    with pytest.raises(UsageError, match=rf"^{option} .*gone\.jsonl: .*No such file"):
        load(spec, name=name)
    with pytest.raises(UsageError, match=f"^{option}: the suite '{name}' has no file"):
        load(name=name)


def test_a_folder_is_no_task_file(tmp_path):
    with pytest.raises(UsageError, match="directory"):
        load(SuiteSpec(path=tmp_path))


def test_a_range_counts_the_numbers_in_ids(write):
    spec = write(*(row(id=f"demo/{n}") for n in range(1, 6)))
    chosen = parse_suite_spec(f"{spec.path}:2-3")
    assert [task.id for task in load(chosen)] == ["demo/2", "demo/3"]
    with pytest.raises(TaskFileError, match=r"own\.jsonl:8-9: no task of 'anchor' has such"):
        load(parse_suite_spec(f"{spec.path}:8-9"))


def test_a_range_over_ids_without_numbers_is_refused(write):
    spec = write(row(id="add"))
    with pytest.raises(UsageError, match=r"own\.jsonl:1-3: 'add' at .*own\.jsonl:1 has no number"):
        load(parse_suite_spec(f"{spec.path}:1-3"))


class TestReferences:
    @pytest.mark.parametrize("spelling", ["MBPP/17", "Mbpp/17", "mbpp/017"])
    def test_a_reference_is_the_suites_task_in_the_anchors_name(self, write, spelling):
        suite = write(json.dumps(MBPP_ROW), name="mbpp.jsonl")
        spec = write(json.dumps({"ref": spelling, "sentinel": True}))
        (task,) = load(spec, mbpp=suite)
        (original,) = load(suite, name="mbpp")
        assert (task.id, task.suite, task.sentinel) == ("MBPP/17", "anchor", True)
        assert task.origin == f"{spec.path}:1"
        assert task.digest == original.digest
        assert task.tests == original.tests

    def test_the_suites_range_does_not_limit_references(self, write):
        suite = write(json.dumps(MBPP_ROW), name="mbpp.jsonl")
        ranged = parse_suite_spec(f"{suite.path}:100-110")
        assert len(load(write('{"ref": "MBPP/17"}'), mbpp=ranged)) == 1

    def test_the_prompts_digest_is_compared_when_given(self, write):
        suite = write(json.dumps(MBPP_ROW), name="mbpp.jsonl")
        (original,) = load(suite, name="mbpp")
        good = json.dumps({"ref": "MBPP/17", "prompt_sha256": original.prompt_sha256})
        assert load(write(good), mbpp=suite)
        bad = json.dumps({"ref": "MBPP/17", "prompt_sha256": "0" * 64})
        message = rf"own\.jsonl:1: MBPP/17: .*{'0' * 64}.*{original.prompt_sha256}"
        with pytest.raises(TaskFileError, match=message):
            load(write(bad), mbpp=suite)

    def test_a_task_that_the_suite_lacks_names_the_line_and_the_option(self, write):
        suite = write(json.dumps(MBPP_ROW), name="mbpp.jsonl")
        message = (
            r"own\.jsonl:2: MBPP/18 is not in .*mbpp\.jsonl \(MBPP, 1 tasks\).*--gate-mbpp PATH"
        )
        with pytest.raises(TaskFileError, match=message):
            load(write('{"ref": "MBPP/17"}', '{"ref": "MBPP/18"}'), mbpp=suite)

    def test_a_suite_without_a_file_names_the_option(self, write):
        message = (
            r"own\.jsonl:1: HumanEval/3 refers to the suite 'humaneval'.*--gate-humaneval PATH"
        )
        with pytest.raises(TaskFileError, match=message):
            load(write('{"ref": "HumanEval/3"}'))

    def test_the_same_reference_twice_is_refused(self, write):
        suite = write(json.dumps(MBPP_ROW), name="mbpp.jsonl")
        spec = write('{"ref": "MBPP/17"}', '{"ref": "Mbpp/17"}')
        with pytest.raises(TaskFileError, match=r"own\.jsonl:2: the task id 'MBPP/17' is already"):
            load(spec, mbpp=suite)


def test_a_published_file_among_anchors_names_its_option(write):
    with pytest.raises(TaskFileError, match=r"this is a MBPP file.*--gate-mbpp PATH"):
        load(write(json.dumps(MBPP_ROW)))


def test_own_rows_given_as_a_published_suite_are_refused(write):
    message = (
        r"own\.jsonl:1: a row with the fields entry_point, id, prompt, tests .*--gate-humaneval"
    )
    with pytest.raises(TaskFileError, match=message):
        load(write(row()), name="humaneval")
    with pytest.raises(UsageError, match=r"--gate-livecodebench: .*no loader"):
        load(write(row()), name="livecodebench")
