"""The programs that the benchmarks run, from the public data beside the project.

The data are used by path and never copied. Knows nothing of sandboxes and of peers.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.sandbox.limits import DEFAULT_CPU_S
from pytest_anchorgate.tasks.samples import read_samples
from pytest_anchorgate.tasks.suites import load_references, load_suite, parse_suite_spec

if TYPE_CHECKING:
    from pytest_anchorgate.tasks.task import Task

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ANCHORGATE_DATA", ROOT.parent / "shared" / "data"))
HUMANEVAL = "humaneval/HumanEval.jsonl.gz"
MBPP = "mbpp/mbpp.jsonl"
MBPP_PLUS = "mbpp/MbppPlus-v0.1.0.jsonl"
SAMPLES = "samples/qwen2.5-coder-1.5b-{}/generated.jsonl"
PUBLISHED = "samples/qwen2.5-coder-1.5b-{}/generated_eval_results.json"
FILES = (HUMANEVAL, MBPP, MBPP_PLUS, SAMPLES.format("humaneval"), SAMPLES.format("mbpp"))


class DataMissing(Exception):
    """A public file that a benchmark needs is not there; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One whole program with the task whose tests it must pass."""

    task: Task
    text: str

    @property
    def cpu_s(self) -> float:
        """The CPU time that it may use."""
        return DEFAULT_CPU_S if self.task.timeout_s is None else self.task.timeout_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSet:
    """Programs that are measured together, and the ids of those that must pass."""

    name: str
    programs: tuple[Program, ...]
    expected: frozenset[str] | None = None  # None: nothing is required
    dataset: str = ""  # EvalPlus's name of the dataset, where it can judge these tasks
    problems: str = ""  # the file that EvalPlus's problems are made of

    @property
    def cpu_s(self) -> float:
        """The longest that one of its programs may take."""
        return max(program.cpu_s for program in self.programs)


def read_sets(data: Path, *, most: int | None) -> tuple[ProgramSet, ...]:
    """Return the four sets, each with its first ``most`` programs or all.

    Raises `DataMissing` when a file is absent.
    """
    for name in (*FILES, PUBLISHED.format("humaneval")):
        if not (data / name).is_file():
            raise DataMissing(f"{data / name}: no such file. Give the public data with --data.")
    return (
        _references("HumanEval canonical", "humaneval", data, HUMANEVAL, most),
        _references("MBPP reference", "mbpp", data, MBPP, most),
        _samples("HumanEval samples", "humaneval", data, HUMANEVAL, most),
        _samples("MBPP samples", "mbpp", data, MBPP_PLUS, most),
    )


def published_passes(path: Path) -> frozenset[str]:
    """Return the ids of the tasks that EvalPlus's result file calls passed on base tests."""
    results = json.loads(path.read_text("utf-8"))["eval"]
    passed = (task_id for task_id, rows in results.items() if rows[0]["base_status"] == "pass")
    return frozenset(task_id.replace("Mbpp/", "MBPP/") for task_id in passed)


def _references(name: str, suite: str, data: Path, file: str, most: int | None) -> ProgramSet:
    spec = parse_suite_spec(str(data / file))
    texts = load_references(spec)
    tasks = load_suite(suite, [spec], resolve={})[:most]
    return ProgramSet(
        name=name,
        programs=tuple(Program(task=task, text=task.prompt + texts[task.id]) for task in tasks),
        expected=frozenset(task.id for task in tasks),
        dataset=suite if suite == "humaneval" else "",
        problems=file,
    )


def _samples(name: str, suite: str, data: Path, file: str, most: int | None) -> ProgramSet:
    tasks = load_suite(suite, [parse_suite_spec(str(data / file))], resolve={})[:most]
    samples = read_samples(data / SAMPLES.format(suite), tasks)
    programs = tuple(
        Program(task=task, text=sample.text) for task in tasks for sample in samples.of(task)
    )
    expected = None
    if suite == "humaneval":
        expected = published_passes(data / PUBLISHED.format(suite)) & {task.id for task in tasks}
    return ProgramSet(name=name, programs=programs, expected=expected, dataset=suite, problems=file)
