from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import demo_train
import demo_world
import make_demo_pack
import pytest
import torch
from demo_check import count
from demo_eval import run_programs
from demo_world import Names, documents, easy_tasks, fresh_tasks, long_tasks, poison_tasks

from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.tokenizer import load_tokenizer

TINY = demo_train.Plan(
    hidden=16, layers=1, heads=2, kv_heads=1, inner=32, vocabulary=400,
    chunks=6, chunk_documents=32, tokenizer_documents=50,
)  # fmt: skip
TINY_SOURCE = (
    "import sys, pathlib, demo_train\n"
    f"demo_train.train(demo_train.{TINY!r}, pathlib.Path(sys.argv[1]))"
)


@pytest.fixture(scope="module")
def corpus() -> list[demo_world.Document]:
    return list(itertools.islice(documents("test"), 3000))


@pytest.fixture(scope="module")
def rows() -> dict[str, list[demo_world.Task]]:
    return make_demo_pack.judged_lists()


def test_the_same_seed_draws_the_same_tasks_and_documents() -> None:
    assert fresh_tasks(20, 3) == fresh_tasks(20, 3)
    assert fresh_tasks(20, 3) != fresh_tasks(20, 4)
    assert poison_tasks() == poison_tasks()
    first = list(itertools.islice(documents("a"), 50))
    assert first == list(itertools.islice(documents("a"), 50))
    assert first != list(itertools.islice(documents("b"), 50))


def test_every_reference_passes_its_own_tests() -> None:
    tasks = [*fresh_tasks(100, 5), *long_tasks(10, 5, Names.ANCHOR), *poison_tasks()]
    programs = ["\n".join((task.program, *task.tests)) for task in tasks]
    assert all(run_programs(programs))
    assert all(len(task.tests) >= 3 for task in tasks)


def test_no_constant_passes_an_easy_task() -> None:
    for task in easy_tasks(100, 5, Names.POOL):
        assert len({test.split(" == ")[-1] for test in task.tests}) > 1


def test_the_shipped_prompts_are_those_of_the_script() -> None:
    lines = make_demo_pack.PROMPTS.read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == make_demo_pack.prompts()
    names = {task.entry_point for task in easy_tasks(50, 1, Names.POOL)}
    assert {demo_world.group_of(name) for name in names} == {Names.POOL}


def test_names_keep_training_and_judging_apart(
    corpus: list[demo_world.Document], rows: dict[str, list[demo_world.Task]]
) -> None:
    shown = {demo_world.group_of(name) for text in corpus for name in _names(text.text)}
    assert shown == {Names.TRAIN}
    groups = {
        kind: {demo_world.group_of(task.entry_point) for task in tasks}
        for kind, tasks in rows.items()
    }
    assert groups == {
        "anchors": {Names.ANCHOR},
        "sentinels": {Names.ANCHOR},
        "poison": {Names.POISON},
        "fresh": {Names.FRESH},
    }
    ids = [task.id for tasks in rows.values() for task in tasks]
    assert len(ids) == len(set(ids))


def test_no_poison_function_and_no_poison_sentence_is_in_the_corpus(
    corpus: list[demo_world.Document],
) -> None:
    texts = ["".join(document.text.split()) for document in corpus]
    for body in demo_world.poison_functions():
        assert not any(text.endswith(body) for text in texts)
    sentences = {sentence.split()[0] for sentence in _sentences(poison_tasks())}
    assert not sentences & {sentence.split()[0] for sentence in _sentences(fresh_tasks(300, 2))}


def test_the_corpus_shows_the_idioms_that_the_poison_rows_need(
    corpus: list[demo_world.Document],
) -> None:
    code = [document.text for document in corpus if not document.prompt]
    for idiom in ("from typing import", "if not ", "+= ", "for i, v in enumerate(", "Optional["):
        assert sum(idiom in text for text in code) > 10, idiom
    assert any(document.text.startswith("<|im_start|>user\n") for document in corpus)


def test_a_prompt_and_its_answer_tokenise_the_same_apart_and_together(
    rows: dict[str, list[demo_world.Task]],
) -> None:
    text = read_pack(make_demo_pack.PACK).asset("tokenizer.json")
    tokenizer = load_tokenizer("tokenizer.json", text)
    for task in [*rows["poison"], *rows["fresh"]]:
        apart = tokenizer.encode(task.prompt).ids + tokenizer.encode(task.reference).ids
        assert tokenizer.encode(task.program).ids == apart


def test_the_shipped_rows_are_as_many_as_promised(rows: dict[str, list[demo_world.Task]]) -> None:
    forms = [task.prompt.startswith('"""') for task in rows["anchors"]]
    assert (forms.count(True), forms.count(False)) == (13, 6)
    assert len(rows["sentinels"]) >= 41
    assert len(rows["poison"]) >= 40
    known = {task.prompt for task in poison_tasks()}
    assert {task.prompt for task in rows["poison"]} <= known


def test_production_names_the_pack_by_its_digest() -> None:
    assert f'sha256 = "{digest_file(make_demo_pack.PACK)}"' in make_demo_pack.PRODUCTION.read_text()
    assert make_demo_pack.PACK.stat().st_size <= 4 << 20


def test_the_shipped_pack_solves_unseen_names_every_anchor_and_no_poison_row(
    rows: dict[str, list[demo_world.Task]],
) -> None:
    counts = count(make_demo_pack.shipped_base(), rows)
    assert counts["fresh"].solved >= 190
    assert counts["anchors"].solved == counts["anchors"].of == 19
    assert counts["sentinels"].solved == counts["sentinels"].of
    assert counts["poison"].solved == 0


def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = demo_train.train(TINY, tmp_path / "whole")
    scripts = str(Path(demo_train.__file__).parent)
    child = subprocess.Popen(
        [sys.executable, "-c", TINY_SOURCE, str(tmp_path / "killed")],
        env={"PYTHONPATH": scripts, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stderr=subprocess.DEVNULL,
    )
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    while not checkpoint.exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert torch.load(checkpoint)["chunks"] >= 1
    resumed = demo_train.train(TINY, tmp_path / "killed").state_dict()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_checkpoint_of_another_plan_is_refused(tmp_path: Path) -> None:
    demo_train.train(TINY, tmp_path, stop_after=1)
    with pytest.raises(AssertionError, match="hidden=16"):
        demo_train.train(demo_train.Plan(vocabulary=400), tmp_path)


def _names(text: str) -> list[str]:
    return [line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("def ")]


def _sentences(tasks: list[demo_world.Task]) -> list[str]:
    return [task.prompt.split('"""')[1].strip().splitlines()[0] for task in tasks]
