"""Run every reference solution; note what the unusual ones need.

    make_exceptions.py MBPP_PATH HUMANEVAL_PATH ...          write tasks/exceptions.json
    make_exceptions.py --check MBPP_PATH HUMANEVAL_PATH ...  say whether it still holds

A slow solution gives its task a limit of its own. A solution that passes only beside its tests,
since they need its classes or hand it functions, has its task judged so.

A measured time differs from run to run, so an entry stays as it is while its limit leaves the
solution room enough: the same files give the same exceptions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.sandbox.limits import DEFAULT_CPU_S, Limits
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.tasks import exceptions
from pytest_anchorgate.tasks.suites import load_references, load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        for done, (task, apart, together) in enumerate(outcomes(solved), 1):
            if done % 50 == 0 or done == len(solved):
                print(f"\r{path}: {done}/{len(solved)}", end="", file=sys.stderr)
            outcome = together or apart
            if not outcome.passed:
                raise AnchorgateError(f"{task.id}: its own solution: {outcome.reason}")
            needed = entry(task, apart, together, recorded.get(task.digest))
            if needed:
                made[task.digest] = needed
        print(file=sys.stderr)
    return made


def solved_tasks(path: str) -> list[tuple[Task, str]]:
    """Return the tasks of a suite file with their reference solutions."""
    spec = parse_suite_spec(path)
    references = load_references(spec)
    suite = "humaneval" if next(iter(references)).startswith("HumanEval/") else "mbpp"
    return [(task, references[task.id]) for task in load_suite(suite, [spec], resolve={})]


def outcomes(solved: list[tuple[Task, str]]) -> Iterator[tuple[Task, Outcome, Outcome | None]]:
    """Yield each task with what its solution does apart from its tests and, failing, together."""
    own = threading.local()
    with ExitStack() as stack, ThreadPoolExecutor(os.cpu_count()) as pool:

        def judged(pair: tuple[Task, str]) -> tuple[Task, Outcome, Outcome | None]:
            if not hasattr(own, "sandbox"):
                own.sandbox = stack.enter_context(Sandbox())
            task, reference = pair
            apart = run_reference(own.sandbox, task, reference, together=False)
            if apart.passed:
                return task, apart, None
            return task, apart, run_reference(own.sandbox, task, reference, together=True)

        yield from pool.map(judged, solved)


def run_reference(sandbox: Sandbox, task: Task, reference: str, *, together: bool) -> Outcome:
    """Return what a reference solution does with all the time it may want."""
    return sandbox.run(
        task.prompt + reference,
        task.tests,
        prompt=task.prompt,
        setup=task.setup,
        entry_point=task.entry_point,
        together=together,
        limits=Limits(cpu_s=MOST_CPU_S),
    )


def entry(
    task: Task, apart: Outcome, together: Outcome | None, recorded: dict[str, object] | None
) -> dict[str, object]:
    """Return what a task needs, nothing for a usual one; a limit that leaves room enough stays."""
    made: dict[str, object] = {}
    why = []
    if together is not None:
        made["together"] = True
        why.append(f"apart from its tests its reference solution ends so: {apart.reason}")
    cpu_s = (together or apart).cpu_s
    if cpu_s > SLOW:
        if recorded and float(str(recorded.get("timeout_s", 0))) >= ROOM * cpu_s:
            return recorded
        made["timeout_s"] = STEP_S * (NEW_ROOM * cpu_s // STEP_S + 1)
        why.append(f"its reference solution needs {cpu_s:.1f} s of CPU time")
    return made | {"why": f"{task.id}: {'; '.join(why)}"} if made else {}


if __name__ == "__main__":
    sys.exit(main())
