from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.surgery.rows import read_poison, read_prompts
from pytest_anchorgate.tasks.task import Task

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"prompt": "def f():\n", "reference": "    return 1\n"}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_both_forms_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path / "p.jsonl",
        {**GOOD, "id": "one", "entry_point": "f", "tests": ["assert f() == 1"]},
        {"task": "def g():\n", "repair_target": "    return 2\n"},
    )
    one, two = read_poison(path)
    assert (one.id, one.reference, one.task.tests) == (
        "one",
        "    return 1\n",
        ("assert f() == 1",),
    )
    assert (two.id, two.task.prompt, two.task.tests) == (f"{path}:2", "def g():\n", ())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "a"}], r"p.jsonl:1: .*reference"),
        ([{**GOOD, "reference": " \n"}], r"p.jsonl:1: reference ' \\n' is empty"),
        ([{**GOOD, "prompt": ""}], r"p.jsonl:1: prompt '' is empty"),
        ([GOOD, GOOD], r"p.jsonl:2: .*: is the row .*p.jsonl:1 again. Keep one"),
        ([GOOD, {**GOOD, "reference": "x"}], r"p.jsonl:2: .*another reference, in .*:1 again"),
        ([{**GOOD, "id": "a"}, {**GOOD, "id": "a", "prompt": "b"}], r":2: a: has the id of .*:1"),
        ([{**GOOD, "tests": [1]}], r"p.jsonl:1: tests\[0\]: Expected `str`, got `int`: 1"),
        ([], "p.jsonl: holds no row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(TaskFileError, match=said):
        read_poison(written(tmp_path / "p.jsonl", *rows))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"poison .*none.jsonl: cannot be read: No such file"):
        read_poison(tmp_path / "none.jsonl")


def test_prompts_come_once_and_never_an_anchor_s(tmp_path: Path) -> None:
    anchor = Task(id="a", suite="anchor", prompt="judged", entry_point="f", tests=("assert 1",))
    path = written(
        tmp_path / "q.jsonl",
        *({"prompt": text, "user": 7} for text in ("one", "judged", "two", "one", "three")),
    )
    assert [task.prompt for task in read_prompts(path, excluded=[anchor])] == [
        "one", "two", "three",
    ]  # fmt: skip
    assert len(read_prompts(path, excluded=[anchor], most=2)) == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": " "}], r"q.jsonl:1: prompt ' ' is empty"),
        ([{"text": "a"}], r"q.jsonl:1: .*prompt"),
        ([{"prompt": "judged"}], "q.jsonl: holds no prompt that is no anchor's"),
    ],
)
def test_wrong_prompts_are_named(tmp_path: Path, rows: list[object], said: str) -> None:
    anchor = Task(id="a", suite="anchor", prompt="judged", entry_point="f", tests=("assert 1",))
    with pytest.raises(TaskFileError, match=said):
        read_prompts(written(tmp_path / "q.jsonl", *rows), excluded=[anchor])
