"""Runs EvalPlus's own evaluation of the programs in a job; a subprocess of `checkers.py`.

    python evalplus_driver.py JOB.json

Needs nothing but EvalPlus and writes JOB.answer: the seconds that its process pool was at work,
and the ids of the tasks that passed. Base tests only: the extra inputs are left out of the
problems, and computing the expected outputs is not counted. HumanEval's base inputs are recorded
from its own tests, since HumanEvalPlus's file may not be at hand.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

Problem = dict[str, Any]
POLYNOMIAL_ATOL = 1e-4  # find_zero's, whose oracle needs one; elsewhere EvalPlus has its own


class TimedPool(ProcessPoolExecutor):
    """EvalPlus's pool, with the time from its start to the end of its last program."""

    seconds = 0.0

    def __enter__(self) -> ProcessPoolExecutor:
        self.began = time.perf_counter()
        return super().__enter__()

    def __exit__(self, *why: Any) -> bool | None:
        ended = super().__exit__(*why)
        TimedPool.seconds = time.perf_counter() - self.began
        return ended


def main() -> None:
    """Evaluate the job's programs and write the answer."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    dataset = order["dataset"]
    programs = {row["task_id"].replace("MBPP/", "Mbpp/"): row["program"] for row in order["rows"]}
    problems, samples = job.with_name("problems.jsonl"), job.with_name("samples.jsonl")
    with problems.open("w") as file:
        for problem in read_problems(Path(order["problems"])):
            if problem["task_id"] in programs:
                print(json.dumps(base_only(problem)), file=file)
    with samples.open("w") as file:
        for task_id, program in programs.items():
            print(json.dumps({"task_id": task_id, "solution": program}), file=file)
    os.environ[f"{dataset.upper()}_OVERRIDE_PATH"] = str(problems)
    passed = evaluated(dataset, samples, order["workers"])
    answer = {"seconds": TimedPool.seconds, "passed": passed}
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")
    os._exit(0)  # a thread of EvalPlus's would sleep for 20 seconds


def evaluated(dataset: str, samples: Path, workers: int) -> list[str]:
    """Return the ids of the passed tasks; EvalPlus reads its environment when it is imported."""
    from evalplus import evaluate

    evaluate.ProcessPoolExecutor = TimedPool
    evaluate.evaluate(dataset, samples=str(samples), base_only=True, parallel=workers)
    results = json.loads(Path(f"{samples.with_suffix('')}_eval_results.json").read_text("utf-8"))
    return [
        task_id.replace("Mbpp/", "MBPP/")
        for task_id, rows in results["eval"].items()
        if rows[0]["base_status"] == "pass"
    ]


def read_problems(path: Path) -> list[Problem]:
    """Return the rows of a JSONL file, which may be compressed."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def base_only(problem: Problem) -> Problem:
    """Return a problem as EvalPlus wants it, without extra inputs."""
    if "base_input" in problem:
        return problem | {"plus_input": []}
    return problem | {
        "base_input": recorded_inputs(problem),
        "plus_input": [],
        "contract": "",
        "atol": POLYNOMIAL_ATOL if problem["entry_point"] == "find_zero" else 0,
    }


def recorded_inputs(problem: Problem) -> list[list[Any]]:
    """Return the arguments of every call that the problem's own tests make."""
    namespace: dict[str, Any] = {}
    source = problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    exec(source, namespace)
    solution, inputs = namespace[problem["entry_point"]], []

    def recorder(*arguments: Any) -> Any:
        inputs.append(copy.deepcopy(list(arguments)))
        return solution(*arguments)

    namespace["check"](recorder)
    return inputs


if __name__ == "__main__":
    main()
