from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.evaluate import Evaluation
from pytest_anchorgate.surgery.rehearse import capture
from pytest_anchorgate.verify import verify
from tests.surgeries import DEMO, adapted, read_inputs, write_rows, write_solved_poison

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_anchorgate.surgery.inputs import Inputs
    from pytest_anchorgate.surgery.rehearse import Captured
    from pytest_anchorgate.tasks.task import Task

BENT = 0.22  # the deviation of B with which some of the tasks are lost


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    torch.set_num_threads(1)
    folder: Path = tmp_path_factory.mktemp("evaluate")
    write_rows(folder)
    write_solved_poison(folder)
    return read_inputs(folder)


@pytest.fixture(scope="module")
def captured(inputs: Inputs) -> Captured:
    return capture(inputs)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def engine(inputs: Inputs, size: float) -> TransformersEngine:
    model: Any = adapted(DEMO, size=size).get_base_model()
    return TransformersEngine(inputs.prompter.pack, model=model)


def margins(
    inputs: Inputs, engine: TransformersEngine, tasks: list[Task], sandbox: Sandbox
) -> list[float | None]:
    """Each solved task's margin, asked alone and without a draft."""
    found = []
    for task in tasks:
        (completion,) = engine.generate([inputs.prompter.request(task)])
        prompt = inputs.prompter.prompt(task)
        if verify(task, completion.text, sandbox=sandbox, prompt=prompt).passed:
            found.append(completion.margin)
    return found


def test_a_score_is_what_asking_each_task_alone_without_a_draft_gives(
    inputs: Inputs, captured: Captured, sandbox: Sandbox
) -> None:
    bent = engine(inputs, BENT)
    score = Evaluation(inputs, captured.anchors, sandbox).score(bent)
    kept = margins(inputs, bent, list(inputs.anchors), sandbox)
    solved = margins(inputs, bent, [row.task for row in inputs.rows], sandbox)
    assert (score.anchors_kept, score.anchors) == (len(kept), 4)
    assert (score.poison_solved, score.poison) == (len(solved), 6)
    assert score.margin == pytest.approx(min(one for one in kept if one), abs=1e-4)
    assert 0 < len(kept) < 4, "some are lost and some are not, or this shows little"
    assert 0 < len(solved) < 3
    assert score.anchors_kept < score.anchors


def test_an_adapter_of_zeros_keeps_all(
    inputs: Inputs, captured: Captured, sandbox: Sandbox
) -> None:
    score = Evaluation(inputs, captured.anchors, sandbox).score(engine(inputs, 0.0))
    assert score.anchors_kept == score.anchors
    assert score.anchors == len(inputs.anchors)
    assert score.poison_solved == 3, "what the base solves in its own way"
    assert score.margin > 1


def test_it_asks_no_sentinel_and_nothing_that_the_base_fails(
    inputs: Inputs, captured: Captured, sandbox: Sandbox
) -> None:
    evaluation = Evaluation(inputs, captured.anchors[1:], sandbox)
    assert [task.id for task, _ in evaluation.anchors] == [one.id for one in captured.anchors[1:]]
    assert not any(task.sentinel for task, _ in evaluation.anchors)


def test_a_row_that_the_gate_could_not_ask_is_not_asked(
    inputs: Inputs, captured: Captured, sandbox: Sandbox, tmp_path: Path
) -> None:
    write_rows(tmp_path)
    longest = "x = 1\n" * 950  # in the context with its reference, but not with an answer
    row = '{"prompt": "%s", "reference": "x", "tests": ["assert x"]}'
    (tmp_path / "poison.jsonl").write_text(row % longest.encode("unicode_escape").decode())
    long = read_inputs(tmp_path)
    assert long.prompter.overflow(long.rows[0].task)
    score = Evaluation(long, captured.anchors, sandbox).score(engine(long, 0.0))
    assert (score.poison_solved, score.poison) == (0, 1)
