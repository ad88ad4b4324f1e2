"""Asks one pack every task of the demo world and judges its answers, in a process of its own.

    python surgery_scripts/bd6_judge.py PACK.planck OUT.json --drafts BASE.json

OUT.json receives, by list and task, whether the answer passed and its token ids; such a file of the
base serves as drafts, which change no answer. Knows nothing of training.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from bd6_arms import ANCHORS, POISON_ROWS
from bd6_rows import Answers, read_answers
from demo_world import fresh_tasks

from pytest_anchorgate.engine.protocol import engine_identity
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.rows import read_poison
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec
from pytest_anchorgate.tasks.task import Task
from pytest_anchorgate.verify import Status, verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_anchorgate.engine.protocol import Completion

MAX_NEW_TOKENS = 512  # the gate's, as the demo certificate has it
FRESH, FRESH_SEED = 200, 1


def main() -> int:
    """Ask, judge and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--drafts", type=Path, help="what the base answered")
    parser.add_argument("--without-fresh", action="store_true", help="leave the fresh tasks out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    drafts = read_answers(options.drafts) if options.drafts else {}
    lists = judged_lists()
    if options.without_fresh:
        del lists["fresh"]
    answers = answer_all(options.pack, lists, drafts)
    write_file(options.out, (json.dumps(answers) + "\n").encode())
    return 0


def judged_lists() -> dict[str, list[Task]]:
    """Return what a candidate is judged on; training sees the anchors and the poison rows alone."""
    every = load_suite("anchor", [parse_suite_spec(name) for name in ANCHORS], resolve={})
    fresh = [
        Task(
            id=task.id, suite="fresh", prompt=task.prompt, entry_point=task.entry_point,
            tests=task.tests,
        )
        for task in fresh_tasks(FRESH, FRESH_SEED)
    ]  # fmt: skip
    return {
        "anchors": [task for task in every if not task.sentinel],
        "sentinels": [task for task in every if task.sentinel],
        "poison": [row.task for row in read_poison(Path(POISON_ROWS))],
        "fresh": fresh,
    }


def answer_all(pack: Path, lists: Mapping[str, Sequence[Task]], drafts: Answers) -> Answers:
    """Return each task's verdict and answer."""
    prompter = Prompter.load(
        str(pack),
        sha256=digest_file(pack),
        identity=engine_identity("transformers", device="cpu", dtype="float32"),
        style=None,
        max_new_tokens=MAX_NEW_TOKENS,
    )
    engine = TransformersEngine(prompter.pack)
    known = {task: tuple(ids) for judged in drafts.values() for task, (_, ids) in judged.items()}
    for row in read_poison(Path(POISON_ROWS)):
        reference = prompter.tokenizer.encode(row.reference, add_special_tokens=False).ids
        known[row.id] = (*reference, prompter.pack.eos_token_ids[0])
    with Sandbox() as sandbox:
        return {
            name: dict(_judged(prompter, engine, tasks, known, sandbox))
            for name, tasks in lists.items()
        }


def _judged(
    prompter: Prompter,
    engine: TransformersEngine,
    tasks: Sequence[Task],
    drafts: Mapping[str, tuple[int, ...]],
    sandbox: Sandbox,
) -> Iterator[tuple[str, tuple[bool, tuple[int, ...]]]]:
    """Yield each task's verdict and answer, in the tasks' order."""
    requests = [
        replace(prompter.request(task), draft=drafts.get(task.id, ()), key=task.id)
        for task in tasks
    ]
    found: dict[str, Completion] = {one.key: one for one in engine.generate(requests)}
    for task in tasks:
        answer, prompt = found[task.id], prompter.prompt(task)
        verdict = verify(task, answer.text, sandbox=sandbox, prompt=prompt)
        if verdict.status is Status.ERROR:
            raise SystemExit(f"{task.id}: {verdict.reason}")
        yield task.id, (verdict.passed, answer.token_ids)


if __name__ == "__main__":
    sys.exit(main())
