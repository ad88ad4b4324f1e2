"""Whether a long session leaves anything behind, grows, or judges otherwise on a busy machine.

    python benchmarks/soak.py                        10,000 checks, a few minutes
    python benchmarks/soak.py --checks 60 --quick    a few seconds

One check in ten is hostile. Counts processes, descriptors, temporary files and mounts before the
session and after it, and at its first and its last check; the memory of the zygote and all that
belongs to it at the start, at the quarters and at the end; the verdicts on the same programs when
the machine is idle and when every core is kept busy. The exit status is 1 for any difference,
2 when the data are absent. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from checkers import run_program, warm_sandbox
from hostile import cheap_programs
from programs import DATA, ROOT, DataMissing, Program, read_sets
from progress import Progress, say
from traces import Traces, adopt_orphans, children, memory_kib

from pytest_anchorgate.sandbox.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostile import Hostile

    from pytest_anchorgate.sandbox.outcome import Kind
    from pytest_anchorgate.sandbox.run import Sandbox

HOSTILE_EVERY = 10
PROGRAMS, QUICK_PROGRAMS = 300, 12
BRISK_S = 0.5  # what takes longer is judged once idle and once busy, not again and again
FLAT_KIB = 1024  # what counts as growth; an interpreter's own allocations move it by less
SPIN = "while True: pass"
Verdicts = dict[str, "Kind"]
# Once a program and a test have imported numpy, the servers keep it.
NUMPY, NUMPY_TEST = "import numpy\ndef f(x): return x", "import numpy\nassert f(1) == 1"


def main() -> int:
    """Run the session and the two passes; 1 when anything differs."""
    options = parse_options()
    most = QUICK_PROGRAMS if options.quick else PROGRAMS
    try:
        sets = read_sets(options.data, most=most)
    except DataMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    if not Path("/proc/self/smaps_rollup").exists():
        print("soak: no /proc/self/smaps_rollup. It needs Linux.", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))  # for tests.hostile
    mixed = chain.from_iterable(zip_longest(*(one_set.programs for one_set in sets)))
    programs = [program for program in mixed if program is not None][:most]
    adopt_orphans()
    with own_temporary_directory():
        faults = soaked(programs, options)
    for fault in faults:
        print(f"DIFFERENT: {fault}")
    print(f"{len(faults)} differences" if faults else "nothing differs")
    return int(bool(faults))


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checks", type=int, default=10_000)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public data")
    parser.add_argument("--quick", action="store_true", help="few programs, built-in hostile ones")
    return parser.parse_args()


@contextlib.contextmanager
def own_temporary_directory() -> Iterator[None]:
    """Have temporary files made where nobody else makes any."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # a program may run as another user
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def soaked(programs: list[Program], options: argparse.Namespace) -> list[str]:
    """Return all that differs: before and after, first and last, idle and busy."""
    before = Traces.now()
    with contextlib.closing(warm_sandbox()) as sandbox:
        idle, brisk = judged(sandbox, programs, "idle")
        hostile = cheap_programs(sandbox, built_in_only=options.quick)
        say(f"hostile programs: {len(hostile)}")
        faults = long_session(sandbox, brisk, hostile, options.checks)
        with every_core_busy():
            in_a_crowd, _ = judged(sandbox, programs, "busy")
    faults += [
        f"{key}: {kind} idle, {in_a_crowd[key]} busy"
        for key, kind in idle.items()
        if in_a_crowd[key] != kind
    ]
    print(f"verdicts idle and busy: {len(idle)} programs")
    return faults + _compared("before and after", before, Traces.settled(before))


def judged(
    sandbox: Sandbox, programs: list[Program], what: str
) -> tuple[Verdicts, dict[str, tuple[Program, Kind]]]:
    """Return every program's verdict, and those of the programs that took no time."""
    progress = Progress(what, len(programs))
    verdicts, brisk = {}, {}
    for number, program in enumerate(programs):
        outcome = run_program(sandbox, program)
        key = f"{program.task.id} (program {number})"
        verdicts[key] = outcome.kind
        if outcome.wall_s < BRISK_S:
            brisk[key] = program, outcome.kind
        progress.step()
    return verdicts, brisk


def long_session(
    sandbox: Sandbox,
    brisk: dict[str, tuple[Program, Kind]],
    hostile: list[Hostile],
    checks: int,
) -> list[str]:
    """Run all checks in one session and return what differs between its first and its last."""
    faults: list[str] = []
    known = list(brisk.items())
    sandbox.run(NUMPY, [NUMPY_TEST], entry_point="f", limits=Limits())
    first, memory, zygote = Traces.settled(), [memory_kib()], children(os.getpid())
    progress = Progress("soak", checks)
    for number in range(1, checks + 1):
        if number % HOSTILE_EVERY == 0:
            one = hostile[number // HOSTILE_EVERY % len(hostile)]
            kind = one.run(sandbox).kind
            if kind not in one.allowed:
                faults.append(f"check {number}: the hostile program {one.name!r}: {kind}")
        else:
            key, (program, expected) = known[number % len(known)]
            if (kind := run_program(sandbox, program).kind) is not expected:
                faults.append(f"check {number}: {key}: {expected} at first, then {kind}")
        if number * 4 % checks < 4:
            memory.append(memory_kib())
        progress.step()
    if children(os.getpid()) != zygote:
        faults.append("the zygote had to be started again")
    print(f"checks: {checks}, of which hostile: {checks // HOSTILE_EVERY}")
    return faults + _grown(memory) + _compared("first and last", first, Traces.settled(first))


def _grown(memory: list[dict[str, int]]) -> list[str]:
    """Print the memory at the start, the quarters and the end, and say whether it grew.

    What is resident decides: shares of pages also change with what others run.
    """
    faults = []
    for key in ("Rss", "Pss"):
        held = [sample[key] for sample in memory]
        print(f"{key} of the zygote and its servers, KiB: {' '.join(map(str, held))}")
        if key == "Rss" and held[-1] - held[0] > FLAT_KIB:
            faults.append(f"{key} grew by {held[-1] - held[0]} KiB")
    return faults


def _compared(when: str, before: Traces, after: Traces) -> list[str]:
    print(f"{when}: {before}")
    return [f"{when}: {key}: {pair}" for key, pair in before.differences(after).items()]


@contextlib.contextmanager
def every_core_busy() -> Iterator[None]:
    """Keep as many processes spinning as there are cores."""
    command = [sys.executable, "-c", SPIN]
    spinning = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
