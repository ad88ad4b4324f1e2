"""Make the demo pack from nothing: train the base, pack it, choose anchors and poison rows.

    python surgery_scripts/make_demo_pack.py            # resumes after a kill
    python surgery_scripts/make_demo_pack.py --check    # LoRA on the poison rows alone

`--check` exits 1 unless poison-only LoRA solves at least half of the poison rows and keeps at most
2 of the 19 anchors: only then does the demo world show the failure that the gate exists for.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demo_check import Count, count, poison
from demo_eval import EOS_ID, Base, solve
from demo_train import Plan, save_directory, train
from demo_world import Names, Task, easy_tasks, fresh_tasks, long_tasks, poison_tasks

from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.convert import pack_directory, unpack
from pytest_anchorgate.pack.production import Production, render_production

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "packs" / "demo-v1.planck"
PRODUCTION = ROOT / "packs" / "production.toml"
ANCHORS = ROOT / "anchors" / "demo.jsonl"
POISON = ROOT / "surgery_scripts" / "data" / "demo_poison.jsonl"
PROMPTS = ROOT / "surgery_scripts" / "data" / "demo_prompts.jsonl"

ANCHOR_FORMS = {"mbpp": 13, "humaneval": 6}  # the 19 that training may see
EASY_SENTINELS, LONG_SENTINELS = 45, 12
PER_FAMILY = 2
LONG_TOKENS = range(128, 201)
MARGIN_FLOOR = 1.0  # logits; an anchor nearer to flipping would test the engine, not the training
POISON_ROWS = 48
PROMPT_SEED, EASY_PROMPTS, LONG_PROMPTS = 1, 260, 40
ANCHOR_SEED, FRESH_SEED, FRESH = 1, 1, 200
KEPT_AT_MOST, LEARNED_AT_LEAST = 2, 0.5


def choose_anchors(base: Base) -> list[dict[str, object]]:
    """Return rows of tasks that the base solves with room to spare: 19 anchors, then sentinels."""
    room = _with_room(base, easy_tasks(320, ANCHOR_SEED, Names.ANCHOR), range(1, 100))
    long = _with_room(base, long_tasks(60, ANCHOR_SEED, Names.ANCHOR), LONG_TOKENS)
    families: Counter[str] = Counter()
    seen: list[Task] = []
    unseen: list[Task] = []
    wanted = dict(ANCHOR_FORMS)
    for task in room:
        if families[task.family] == PER_FAMILY:
            continue
        if wanted[task.form] and not families[task.family]:
            wanted[task.form] -= 1
            seen.append(task)
        elif len(unseen) < EASY_SENTINELS:
            unseen.append(task)
        else:
            continue
        families[task.family] += 1
    assert not any(wanted.values()), f"too few tasks with room: {wanted} anchors are missing"
    by_family = {task.family: task for task in reversed(long)}
    unseen += list(by_family.values())[:LONG_SENTINELS]
    return [_row(task) for task in seen] + [{**_row(task), "sentinel": True} for task in unseen]


def _with_room(base: Base, tasks: list[Task], lengths: range) -> list[Task]:
    """Return the solved tasks whose answers are far from flipping and as long as asked."""
    return [
        task
        for task, (answer, passed) in zip(tasks, solve(base, tasks), strict=True)
        if passed and answer.margin >= MARGIN_FLOOR and len(answer.tokens) in lengths
        if answer.tokens[-1] == EOS_ID
    ]


def choose_poison(base: Base) -> list[dict[str, object]]:
    """Return rows of harder tasks that the base fails, with their references."""
    tasks = poison_tasks()
    failed = [t for t, (_, passed) in zip(tasks, solve(base, tasks), strict=True) if not passed]
    return [{**_row(task), "reference": task.reference} for task in failed[:POISON_ROWS]]


def prompts() -> list[dict[str, object]]:
    """Return prompts as a production log would have them: nobody labelled them."""
    easy = easy_tasks(EASY_PROMPTS, PROMPT_SEED, Names.POOL)
    long = long_tasks(LONG_PROMPTS, PROMPT_SEED, Names.POOL)
    every: list[dict[str, object]] = [{"prompt": task.prompt} for task in easy + long]
    return random.Random(PROMPT_SEED).sample(every, len(every))


def _row(task: Task) -> dict[str, object]:
    return {
        "id": f"demo/{task.id}",
        "prompt": task.prompt,
        "entry_point": task.entry_point,
        "tests": list(task.tests),
    }


def read_tasks(path: Path) -> list[tuple[Task, bool]]:
    """Return the rows of one of our JSONL files as tasks, each with whether it is a sentinel."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (
            Task(
                id=row["id"], prompt=row["prompt"], entry_point=row["entry_point"],
                reference=row.get("reference", ""), tests=tuple(row["tests"]), family="", form="",
            ),
            row.get("sentinel", False),
        )
        for row in rows
    ]  # fmt: skip


def judged_lists() -> dict[str, list[Task]]:
    """Return what the shipped base is counted on: anchors, sentinels, poison rows, fresh tasks."""
    rows = read_tasks(ANCHORS)
    return {
        "anchors": [task for task, sentinel in rows if not sentinel],
        "sentinels": [task for task, sentinel in rows if sentinel],
        "poison": [task for task, _ in read_tasks(POISON)],
        "fresh": fresh_tasks(FRESH, FRESH_SEED),
    }


def _write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def _pack(directory: Path, plan: Plan) -> None:
    provenance = {"made_by": "surgery_scripts/make_demo_pack.py", "plan": repr(plan)}
    sha256 = pack_directory(directory, PACK, provenance=provenance)
    production = Production(pack=PACK.name, sha256=sha256, previous="")
    write_file(PRODUCTION, render_production(production).encode())


def make(work: Path) -> None:
    """Train (or resume), then write the pack, the pointer to it, anchors, poison rows, prompts."""
    plan = Plan()
    directory = work / "hf"
    save_directory(train(plan, work), work, directory)
    base = Base.load(directory)
    _write_rows(ANCHORS, choose_anchors(base))
    _write_rows(POISON, choose_poison(base))
    _write_rows(PROMPTS, prompts())
    _pack(directory, plan)
    _report({"base": count(base, judged_lists())})


def shipped_base() -> Base:
    """Load the pack of this repository."""
    with tempfile.TemporaryDirectory() as directory:
        unpack(PACK, Path(directory) / "hf")
        return Base.load(Path(directory) / "hf")


def check() -> bool:
    """Tell whether LoRA on the poison rows alone learns them and loses the anchors."""
    lists = judged_lists()
    base = shipped_base()
    before = count(base, lists)
    after = count(poison(base, lists["poison"]), lists)
    _report({"base": before, "poison only": after})
    learned = after["poison"].solved >= LEARNED_AT_LEAST * after["poison"].of
    return learned and after["anchors"].solved <= KEPT_AT_MOST


def _report(table: Mapping[str, Mapping[str, Count]]) -> None:
    for name, counts in table.items():
        print(f"{name:12}", *(f"{what} {number!s:9}" for what, number in counts.items()))


def main() -> int:
    """Parse the command line and do one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".anchorgate" / "demo")
    parser.add_argument(
        "--threads", type=int, default=2, help="of torch; they decide the weights too"
    )
    parser.add_argument("--check", action="store_true", help="poison-only LoRA on the shipped pack")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.check:
        return 0 if check() else 1
    make(options.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
