"""Measure every reference solution; give the slow ones a limit of their own.

    make_exceptions.py MBPP_PATH HUMANEVAL_PATH ...          write tasks/exceptions.json
    make_exceptions.py --check MBPP_PATH HUMANEVAL_PATH ...  say whether it still holds

A measured time differs from run to run, so an entry stays as it is while its limit leaves the
solution room enough: the same files give the same exceptions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.sandbox.limits import DEFAULT_CPU_S, Limits
from pytest_anchorgate.sandbox.run import run_program
from pytest_anchorgate.tasks import exceptions
from pytest_anchorgate.tasks.suites import load_references, load_suite, parse_suite_spec

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.outcome import Outcome
    from pytest_anchorgate.tasks.task import Task

PATH = Path(exceptions.__file__).with_name("exceptions.json")
MOST_CPU_S = 120.0
SLOW = DEFAULT_CPU_S / 3  # a slower machine must not turn a correct program into a timeout
ROOM = 2.0  # an entry that leaves less than this factor is made again
NEW_ROOM = 4.0
STEP_S = 10.0

Entries = dict[str, dict[str, object]]


def main() -> int:
    """Write the exceptions, or with --check compare; 1 when they do not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="+", metavar="PATH", help="suite files with solutions")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    recorded: Entries = json.loads(PATH.read_text("utf-8"))
    try:
        made = made_exceptions(options.paths, recorded)
    except AnchorgateError as error:
        sys.exit(str(error))
    if options.check:
        return compared(made, recorded)
    PATH.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n", "utf-8")
    print(f"{PATH}: {len(made)} exceptions")
    return 0


def compared(made: Entries, recorded: Entries) -> int:
    """Say how the recorded exceptions differ from those that are needed."""
    for digest in made.keys() | recorded.keys():
        if made.get(digest) != recorded.get(digest):
            why = made.get(digest, {}).get("why", "no reference solution needs it")
            print(f"{PATH}: {digest[:12]} does not hold: {why}. Make it again without --check.")
    return int(made != recorded)


def made_exceptions(paths: list[str], recorded: Entries) -> Entries:
    """Return the exceptions that the reference solutions in these files need."""
    made: Entries = {}
    for path in paths:
        solved = solved_tasks(path)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = pool.map(run_reference, solved)
            for done, ((task, _), outcome) in enumerate(zip(solved, outcomes, strict=True), 1):
                if done % 50 == 0 or done == len(solved):
                    print(f"\r{path}: {done}/{len(solved)}", end="", file=sys.stderr)
                if not outcome.passed:
                    raise AnchorgateError(f"{task.id}: its own solution: {outcome.reason}")
                if outcome.cpu_s > SLOW:
                    made[task.digest] = entry(task, outcome.cpu_s, recorded.get(task.digest))
        print(file=sys.stderr)
    return made


def solved_tasks(path: str) -> list[tuple[Task, str]]:
    """Return the tasks of a suite file with their reference solutions."""
    spec = parse_suite_spec(path)
    references = load_references(spec)
    suite = "humaneval" if next(iter(references)).startswith("HumanEval/") else "mbpp"
    return [(task, references[task.id]) for task in load_suite(suite, [spec], resolve={})]


def run_reference(solved: tuple[Task, str]) -> Outcome:
    """Return what a reference solution does with all the time it may want."""
    task, reference = solved
    return run_program(
        task.prompt + reference,
        task.tests,
        setup=task.setup,
        entry_point=task.entry_point,
        limits=Limits(cpu_s=MOST_CPU_S),
    )


def entry(task: Task, cpu_s: float, recorded: dict[str, object] | None) -> dict[str, object]:
    """Return the recorded entry while it leaves room enough, else a new one."""
    if recorded and float(str(recorded["timeout_s"])) >= ROOM * cpu_s:
        return recorded
    timeout_s = STEP_S * (NEW_ROOM * cpu_s // STEP_S + 1)
    why = f"{task.id}: its reference solution needs {cpu_s:.1f} s of CPU time"
    return {"timeout_s": timeout_s, "why": why}


if __name__ == "__main__":
    sys.exit(main())
