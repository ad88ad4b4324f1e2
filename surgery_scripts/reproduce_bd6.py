"""The seed's experiment on the demo world: every arm with three seeds, as it is and dialled.

    python surgery_scripts/reproduce_bd6.py            # resumes after a kill; two arms at a time
    python surgery_scripts/reproduce_bd6.py --render   # docs/bd6.md and figures, from docs/bd6.json
    python surgery_scripts/reproduce_bd6.py --quick    # two arms cut short, written nowhere

A row is in docs/bd6.json as soon as it is finished, and the page is what all rows say. `--quick`
exits 1 unless poison rows alone lose the anchors and rehearsal keeps them (SHORT in bd6_arms.py).
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bd6_arms import ARMS, ROOT, SHORT, arm_recipe, shortened
from bd6_figures import render_frontier, render_prompts
from bd6_render import render_page
from bd6_rows import (
    Counts,
    Measured,
    Row,
    count,
    read_answers,
    read_measured,
    write_measured,
)
from bd6_run import BASE_ANSWERS, Job, run_all, say

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE, ROWS, FRONTIER, BY_PROMPTS = "bd6.md", "bd6.json", "bd6-frontier.svg", "bd6-prompts.svg"
SEEDS = (0, 1, 2)
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run what is left, or render, or run the two quick arms."""
    options = parse_options()
    try:
        if options.quick:
            return quick(options.jobs)
        if options.render:
            write_page(options.out, read_measured(options.out / ROWS))
            return 0
        return reproduce(options)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AnchorgateError as error:
        say(str(error))
        return 1


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, help="arms at a time, a thread for each")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--work", type=Path, default=ROOT / ".anchorgate" / "bd6")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="of rows, page, figures")
    parser.add_argument("--render", action="store_true", help="the page alone")
    parser.add_argument("--quick", action="store_true", help="two arms, cut short")
    return parser.parse_args()


def write_page(out: Path, measured: Measured) -> None:
    """Write the page and its figures."""
    write_file(out / PAGE, render_page(measured).encode(), parents=True)
    write_file(out / FRONTIER, render_frontier(measured).encode())
    write_file(out / BY_PROMPTS, render_prompts(measured).encode())


def reproduce(options: argparse.Namespace) -> int:
    """Run the jobs that have no rows yet; return 1 when one of them failed."""
    path, work = options.out / ROWS, options.work.resolve()
    measured = read_measured(path)
    every = [
        Job(arm=arm, seed=seed, recipe=arm_recipe(arm, seed))
        for seed in options.seeds
        for arm in options.arms
    ]
    jobs = left_of(every, measured)
    say(f"{len(every) - len(jobs)} of {len(every)} are there")
    failed, began = 0, time.monotonic()
    for _, rows in run_all(jobs, work, at_once=options.jobs):
        if isinstance(rows, AnchorgateError):
            failed += 1
            continue
        now = time.monotonic()
        measured.wall_s, began = measured.wall_s + now - began, now
        record(measured, rows, work)
        write_measured(path, measured)
        write_page(options.out, measured)
    return 1 if failed else 0


def left_of(jobs: Sequence[Job], measured: Measured) -> list[Job]:
    """Return the jobs whose rows are not there, or were made of something else."""
    return [job for job in jobs if not measured.has(job.arm, job.seed, job.made_of)]


def record(measured: Measured, rows: Sequence[Row], work: Path) -> None:
    """Add rows, and what they are counted against."""
    base = read_answers(work / BASE_ANSWERS)
    measured.of = Counts(**{name: len(judged) for name, judged in base.items()})
    measured.base = Counts(**count(base, base))
    measured.versions = {name: version(name) for name in ("torch", "transformers", "peft")}
    measured.put(rows)


def quick(at_once: int) -> int:
    """Run the two arms that the seed's report is about, cut short; return 1 if one surprises."""
    jobs = [
        Job(arm=arm, seed=0, recipe=shortened(arm_recipe(arm, 0), short.steps), dials=False)
        for arm, short in SHORT.items()
    ]
    surprises = 0
    with tempfile.TemporaryDirectory(prefix="anchorgate-bd6-") as work:
        for job, rows in run_all(jobs, Path(work), at_once=at_once, fresh=False):
            fault = (
                str(rows) if isinstance(rows, AnchorgateError) else SHORT[job.arm].fault(rows[0])
            )
            surprises += bool(fault)
            print(f"{job.arm}: {fault or 'as it must be'}")
    return 1 if surprises else 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background the first is ignored
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
