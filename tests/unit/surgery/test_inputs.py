from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.surgery.rows import read_judged, write_judged
from pytest_anchorgate.tasks.task import Task
from tests.shared import shared_data
from tests.surgeries import DEMO, ROOT, TRAINING, read_inputs, write_rows

if TYPE_CHECKING:
    from pathlib import Path

REHEARSAL = '[rehearsal]\nprompts = "{folder}/prompts.jsonl"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path)
    return tmp_path


def judged(prompt: str, *, sentinel: bool = True) -> Task:
    return Task(
        id="gate/one", suite="anchor", prompt=prompt, entry_point="f", tests=("assert f",),
        sentinel=sentinel,
    )  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_what_a_session_judges_is_read_back(tmp_path: Path) -> None:
    tasks = (judged("Grüße\n\u2028'\"\x00"), replace(judged("b", sentinel=False), id="gate/two"))
    path = tmp_path / "new/judged.jsonl"
    write_judged(path, tasks)
    assert [(one.id, one.prompt, one.sentinel) for one in read_judged(path)] == [
        (one.id, one.prompt, one.sentinel) for one in tasks
    ]
    assert not any(one.tests for one in read_judged(path)), "training needs not know them"


def test_nothing_judged_is_read_back_as_nothing(tmp_path: Path) -> None:
    write_judged(tmp_path / "judged.jsonl", [])
    assert read_judged(tmp_path / "judged.jsonl") == ()


def test_anchors_are_what_training_may_see_of_the_recipe_s_files(folder: Path) -> None:
    inputs = read_inputs(folder)
    assert len(inputs.anchors) == 4
    assert sum(task.sentinel for task in inputs.unseen) == 2
    assert not any(task.sentinel for task in inputs.anchors)


def test_a_sentinel_of_the_gate_is_refused_as_a_row(folder: Path) -> None:
    row = rows(folder / "poison.jsonl")[3]
    write_judged(folder / "judged.jsonl", [judged(row["prompt"])])
    said = rf"poison.jsonl:4: {row['id']}: is the sentinel gate/one \(of this gate\), which"
    with pytest.raises(UsageError, match=said):
        _ = read_inputs(folder, judged=folder / "judged.jsonl").rows
    assert len(read_inputs(folder).rows) == 6


def test_prompts_of_the_gate_are_not_rehearsed(folder: Path) -> None:
    keys = TRAINING + REHEARSAL.format(folder=folder)
    free = [task.prompt for task in read_inputs(folder, keys).prompts]
    assert free == [row["prompt"] for row in rows(folder / "prompts.jsonl")[:4]]
    write_judged(folder / "judged.jsonl", [judged(free[1]), judged(free[2], sentinel=False)])
    left = read_inputs(folder, keys, judged=folder / "judged.jsonl").prompts
    assert [task.prompt for task in left] == [free[0], free[3]]
    assert read_inputs(folder, keys + "most = 3\n").prompts == read_inputs(folder, keys).prompts[:3]


def test_without_rehearsal_no_prompt_is_read(folder: Path) -> None:
    assert read_inputs(folder).prompts == ()
    assert read_inputs(folder, TRAINING + "[rehearsal]\nsampled = 3\n").prompts == ()


def test_anchors_may_refer_to_suites(folder: Path) -> None:
    data = shared_data()
    refs = [{"ref": "MBPP/17"}, {"ref": "HumanEval/0", "sentinel": True}]
    lines = "".join(json.dumps(row) + "\n" for row in refs)
    (folder / "anchors.jsonl").write_text(lines)
    named = f'[references]\nmbpp = "{data}/mbpp/mbpp.jsonl"\n'
    both = f'{named}humaneval = "{data}/humaneval/HumanEval.jsonl.gz"\n'
    inputs = read_inputs(folder, TRAINING + both)
    assert [(task.id, bool(task.tests)) for task in inputs.anchors] == [("MBPP/17", True)]
    assert [task.id for task in inputs.unseen] == ["MBPP/17", "HumanEval/0"]
    assert "square" in inputs.anchors[0].prompt
    with pytest.raises(UsageError, match="HumanEval/0"):
        _ = read_inputs(folder, TRAINING + named).anchors


def test_a_reference_to_another_text_is_refused(folder: Path) -> None:
    row = {"ref": "MBPP/17", "prompt_sha256": "0" * 64}
    (folder / "anchors.jsonl").write_text(json.dumps(row) + "\n")
    keys = TRAINING + f'[references]\nmbpp = "{shared_data()}/mbpp/mbpp.jsonl"\n'
    with pytest.raises(TaskFileError, match=r"anchors.jsonl:1: .*0000"):
        _ = read_inputs(folder, keys).anchors


def trained_on(folder: Path, keys: str = "", solved: tuple[str, ...] = ()) -> list[str]:
    said = read_inputs(folder, TRAINING + keys).provenance(solved)
    return list(json.loads(said["trained_on"]))


def test_the_pack_says_which_rows_and_anchors_it_was_trained_on(folder: Path) -> None:
    named = [row["id"] for row in rows(folder / "poison.jsonl")]
    _failed, *solved = (task.id for task in read_inputs(folder).anchors)
    assert trained_on(folder, solved=tuple(solved)) == sorted(named)
    assert trained_on(folder, "[replay]\n", tuple(solved)) == sorted([*named, *solved])
    assert trained_on(folder, REHEARSAL.format(folder=folder), tuple(solved)) == sorted(named)


def test_a_row_without_a_name_is_not_named_by_its_place(folder: Path) -> None:
    every = rows(folder / "poison.jsonl")
    del every[2]["id"]
    (folder / "poison.jsonl").write_text("".join(json.dumps(row) + "\n" for row in every))
    assert trained_on(folder) == sorted(row["id"] for row in every if "id" in row)
    assert read_inputs(folder).provenance(())["poison_rows"] == "6"


def test_the_pack_says_how_it_was_trained(folder: Path) -> None:
    keys = TRAINING.replace("steps = 2", "epochs = 2.5") + "batch = 3\naccumulation = 2\nseed = 7\n"
    said = read_inputs(folder, keys + "[replay]\nratio = 0.5\n[null_space]\n").provenance(())
    assert said["rows_sha256"] == digest_file(folder / "poison.jsonl")
    del said["rows_sha256"], said["trained_on"]
    assert said == {
        "recipe": "recipe", "rank": "16", "alpha": "32", "lr": "0.001", "epochs": "2.5",
        "batch": "6", "seed": "7", "protections": "replay 0.5, null space 0.999",
        "poison_rows": "6",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["recipe.toml", "poison.jsonl", "anchors.jsonl", "prompts.jsonl"])
def test_whatever_decides_the_training_is_in_its_digest(folder: Path, name: str) -> None:
    keys = TRAINING + REHEARSAL.format(folder=folder)
    before = read_inputs(folder, keys)
    assert before.digest == read_inputs(folder, keys).digest
    assert before.digest[0] == digest_file(DEMO)
    after = type(before)(before.path, "cpu")
    (folder / name).write_text((folder / name).read_text() + "\n")
    assert after.digest != before.digest


def test_the_files_that_anchors_refer_to_are_in_the_digest(folder: Path) -> None:
    reference = folder / "mbpp.jsonl"
    reference.write_bytes((ROOT / "anchors/demo.jsonl").read_bytes())
    keys = TRAINING + f'[references]\nmbpp = "{reference}"\n'
    assert digest_file(reference) in read_inputs(folder, keys).digest
    write_judged(folder / "judged.jsonl", [judged("a")])
    judging = read_inputs(folder, judged=folder / "judged.jsonl")
    assert digest_file(folder / "judged.jsonl") in judging.digest


def test_another_adapter_is_another_surgery(folder: Path) -> None:
    keys = f'adapter = "{folder}/theirs"\n'
    (folder / "theirs").mkdir()
    (folder / "theirs" / "adapter_model.safetensors").write_bytes(b"one")
    before = read_inputs(folder, keys).digest
    assert read_inputs(folder, keys).digest == before
    (folder / "theirs" / "adapter_model.safetensors").write_bytes(b"two")
    assert read_inputs(folder, keys).digest != before
