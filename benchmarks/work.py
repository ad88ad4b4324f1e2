"""What is asked of everyone: the same rows on the same weights, as a pack and as a directory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from progress import say

from pytest_anchorgate.certificate import certificate_path, read_certificate
from pytest_anchorgate.tasks.prompt import PromptStyle, render_prompt
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

if TYPE_CHECKING:
    from pytest_anchorgate.certificate import Certificate
    from pytest_anchorgate.tasks.task import Task

ROOT = Path(__file__).resolve().parent.parent
DEMO, ANCHORS = ROOT / "packs" / "demo-v1.planck", ROOT / "anchors" / "demo.jsonl"
CHANGES: dict[str, tuple[str, ...]] = {"changed": ("--lose-one",), "destroyed": ()}
WIDE_TASKS, WIDE_PROMPT, WIDE_ANSWER = 19, 100, 128
QUICK_TASKS, QUICK_ANSWER = 3, 8
QUICK_ANCHORS = 6
LONG_ANSWER = 128
CHANGED = ", changed"
SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task: ``target`` is the recorded answer, ``draft`` its token ids."""

    id: str
    prompt: str
    target: str = ""
    draft: tuple[int, ...] = ()
    entry_point: str = ""
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Rows to be answered by one model; ``context`` is as long as a prompt with its answer."""

    name: str
    pack: Path
    directory: Path
    rows: tuple[Row, ...]
    stop: tuple[str, ...]
    max_new_tokens: int
    context: int

    def order(self) -> dict[str, object]:
        """Return what a driver is told."""
        return {
            "pack": str(self.pack),
            "directory": str(self.directory),
            "rows": [asdict(row) for row in self.rows],
            "stop": self.stop,
            "max_new_tokens": self.max_new_tokens,
            "context": self.context,
        }

    def with_drafts(self, drafts: dict[str, list[int]], answers: dict[str, str]) -> Work:
        """Return the work with recorded answers."""
        rows = (
            replace(row, draft=tuple(drafts[row.id]), target=answers[row.id]) for row in self.rows
        )
        return replace(self, rows=tuple(rows))


def demo_work(folder: Path, *, quick: bool) -> list[Work]:
    """Return the 76 anchors on the demo pack and on packs that a surgery changed.

    Quick: those with the shortest answers, on the unchanged pack alone.
    """
    folder.mkdir()
    packs = {"unchanged": DEMO}
    for change in () if quick else CHANGES:
        packs[change] = folder / f"{change}.planck"
        say(f"making the {change} pack")
        _run("-m", "tests.poison", str(packs[change]), *CHANGES[change])
    certificate = read_certificate(certificate_path(ROOT / "packs", DEMO.name))
    rows, stop = _demo_rows(certificate)
    if quick:
        rows = tuple(sorted(rows, key=lambda row: len(row.draft))[:QUICK_ANCHORS])
    limit = certificate.decoding.max_new_tokens
    works = []
    for name, pack in packs.items():
        directory = folder / name
        _run("-m", "pytest_anchorgate.cli", "unpack", str(pack), str(directory))
        works.append(
            Work(
                name=name,
                pack=pack,
                directory=directory,
                rows=rows,
                stop=stop,
                max_new_tokens=limit,
                context=limit + max(len(row.prompt.encode()) for row in rows),
            )
        )
    return works


def _demo_rows(certificate: Certificate) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the certified anchors and their stop sequences."""
    recorded = {task.id: task for task in certificate.tasks}
    tasks = load_suite("anchor", [parse_suite_spec(str(ANCHORS))], resolve={})
    prompts = [render_prompt(task, PromptStyle(certificate.decoding.prompt)) for task in tasks]

    def row(task: Task, prompt: str) -> Row:
        known = recorded[task.id]
        return Row(
            id=task.id,
            prompt=prompt,
            target=known.completion,
            draft=tuple(known.token_ids),
            entry_point=task.entry_point or "",
            tests=tuple(task.tests),
        )

    pairs = zip(tasks, prompts, strict=True)
    return tuple(row(task, prompt.text) for task, prompt in pairs), prompts[0].stop


def long_work(work: Work) -> Work:
    """Return those rows of a work whose recorded answers are long."""
    rows = tuple(row for row in work.rows if len(row.draft) >= LONG_ANSWER)
    return replace(work, name=f"{work.name}, {len(rows)} long answers", rows=rows)


def wide_work(folder: Path, *, small: bool) -> Work:
    """Return 19 prompts of 100 tokens on a random model of Qwen2.5-0.5B's shape."""
    name = "small shape" if small else "0.5B shape"
    say(f"making a random model, {name}")
    _run(str(ROOT / "benchmarks" / "wide_model.py"), str(folder), *(["--small"] if small else []))
    letters = random.Random(SEED)
    answer = QUICK_ANSWER if small else WIDE_ANSWER
    rows = tuple(
        Row(
            id=f"wide/{number}",
            prompt="".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=WIDE_PROMPT)),
        )
        for number in range(QUICK_TASKS if small else WIDE_TASKS)
    )
    return Work(
        name=name,
        pack=folder / "wide.planck",
        directory=folder / "model",
        rows=rows,
        stop=(),
        max_new_tokens=answer,
        context=WIDE_PROMPT + answer,
    )


def changed(work: Work) -> Work:
    """Return the work on the model of which one matrix was moved by a step."""
    return replace(
        work,
        name=f"{work.name}{CHANGED}",
        pack=work.pack.with_name("changed.planck"),
        directory=work.directory.with_name("changed"),
    )


def _run(*arguments: str) -> None:
    """Run this Python with arguments at the project's root."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{json.dumps(arguments)} failed: {done.stderr[-2000:]}")
