"""Measure training at real size: a LoRA step beside TRL's SFTTrainer, and the null space.

    python benchmarks/training.py --trl ENVIRONMENT [--rounds 3] [--out training.json]
    python benchmarks/training.py --quick         a small model, without TRL and once

Makes a random model of Qwen2.5-0.5B's shape and a batch of four rows, 100 tokens of prompt and 128
of completion in the mean. Our trainer and TRL's take turns, each in a fresh process: the same token
ids, adapter (rank 16 on all linear layers), optimizer, float32, loss on completions alone, no
gradient checkpointing; losses that differ are an error. Measured in the first round alone: the same
step with as many protected rows and KL, and the null space of protected rows. ENVIRONMENT is a
virtual environment with TRL and this one's torch, transformers and peft. Prints medians, and the
median of the ratios of paired runs; the first step of a run does not count. Peak memory is that of
a whole process, loading included. OMP_NUM_THREADS, if set, holds for all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).resolve().parent
OURS, PROTECTED, TRL, SPACE = "ours", "ours, protected", "TRL", "null space"
ORDER: dict[str, Any] = {
    "batch": 4,
    "rank": 16,
    "alpha": 32,
    "learning_rate": 2e-4,
    "seed": 0,
    "energy": 0.999,
}
LENGTHS = ((70, 158), (90, 138), (110, 118), (130, 98))  # prompt and completion
TOKENS = 50_000  # ids that rows are drawn from, of a vocabulary of 151,936
PROTECTED_ROWS = 19  # as many as the first anchors were
TOLERANCE = 1e-3  # between losses, in parts of ours
LIMIT_BYTES = 12 << 30
PARTS = {
    "moments_s": "second moments",
    "spaces_s": "eigenvectors",
    "project_s": "one projection",
}
Run = dict[str, Any]


def main() -> int:
    """Measure in turns and print a table; 1 when losses differ or memory is over the limit."""
    options = _options()
    ways = {OURS: sys.executable, PROTECTED: sys.executable, SPACE: sys.executable}
    if options.trl:
        ways[TRL] = str(options.trl / "bin" / "python")
    with tempfile.TemporaryDirectory() as folder:
        say("making a random model")
        make = [sys.executable, str(HERE / "wide_model.py"), folder]
        subprocess.run(make + ["--small"] * options.quick, check=True, stderr=subprocess.DEVNULL)
        order = job(Path(folder), steps=options.steps, protected=options.protected)
        measured = in_turns(ways, order, Path(folder), options.rounds)
    print(render(measured, order))
    if options.out:
        options.out.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    found = faults(measured)
    for fault in found:
        say(fault)
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trl", type=Path, help="a virtual environment that has TRL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="steps of each run")
    parser.add_argument("--protected", type=int, default=PROTECTED_ROWS, help="rows, null space")
    parser.add_argument("--quick", action="store_true", help="a small model, two steps, once")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.steps = 1, 2
    return options


def job(folder: Path, *, steps: int, protected: int) -> dict[str, Any]:
    """Return what every driver is told."""
    draw = random.Random(ORDER["seed"])

    def row(number: int) -> list[list[int]]:
        lengths = LENGTHS[number % len(LENGTHS)]
        return [draw.choices(range(TOKENS), k=length) for length in lengths]

    return ORDER | {
        "pack": str(folder / "wide.planck"),
        "directory": str(folder / "model"),
        "steps": steps,
        "rows": [row(number) for number in range(ORDER["batch"])],
        "protected": [row(number) for number in range(protected)],
    }


def in_turns(
    ways: Mapping[str, str], order: dict[str, Any], folder: Path, rounds: int
) -> dict[str, list[Run]]:
    """Return every run by its way; who begins changes from round to round."""
    measured: dict[str, list[Run]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in sorted(ways, reverse=bool(number % 2)):
            if number and way not in (OURS, TRL):
                continue
            say(f"round {number + 1}/{rounds}: {way} ...")
            run = folder / f"{number} {way}"
            run.mkdir()
            measured[way].append(driven(ways[way], order | {"way": way}, run))
    return measured


def driven(python: str, order: dict[str, Any], folder: Path) -> Run:
    """Return what one job took, in a process of its own."""
    path = folder / "job.json"
    path.write_text(json.dumps(order), "utf-8")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
    command = [python, str(HERE / "training_driver.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    answer = path.with_suffix(".answer")
    if not answer.exists():
        raise SystemExit(f"{order['way']}: status {done.returncode}: {done.stderr[-2000:]}")
    found: Run = json.loads(answer.read_text("utf-8"))
    return found


def render(measured: Mapping[str, Sequence[Run]], order: Mapping[str, Any]) -> str:
    """Return the medians as a table, and how long TRL takes beside ours."""
    tokens = sum(len(part) for row in order["rows"] for part in row)
    lines = [f"{f'a step of {tokens} tokens':24}{'seconds':>9}{'cpu s':>9}{'GiB':>9}"]
    for way in (OURS, PROTECTED, TRL):
        runs = measured.get(way, ())
        if runs:
            times = middle(runs, "step_s"), middle(runs, "step_cpu_s")
            lines.append(f"{way:24}{times[0]:9.2f}{times[1]:9.2f}{peak(runs):9.2f}")
    if TRL in measured:
        long, work = (ratio(measured[TRL], measured[OURS], key) for key in ("step_s", "step_cpu_s"))
        lines.append(f"TRL takes {long:.2f} times our seconds, {work:.2f} times our cpu seconds")
    runs = measured[SPACE]
    lines += [f"{f'{SPACE}, s':24}", *(f"  {PARTS[key]:22}{runs[0][key]:9.2f}" for key in PARTS)]
    lines.append(
        f"  {peak(runs):.2f} GiB; {runs[0]['free']:.1%} of the inputs' directions are free"
    )
    return "\n".join(lines)


def middle(runs: Sequence[Run], key: str) -> float:
    """Return the median of all steps of all runs."""
    return float(median(value for run in runs for value in run[key]))


def ratio(runs: Sequence[Run], others: Sequence[Run], key: str) -> float:
    """Return the median of the ratios of paired runs, each by its own median."""
    pairs = zip(runs, others, strict=True)
    return float(median(middle([one], key) / middle([other], key) for one, other in pairs))


def peak(runs: Sequence[Run]) -> float:
    """Return the largest memory of any run, in GiB."""
    return float(max(run["peak_bytes"] for run in runs)) / (1 << 30)


def faults(measured: Mapping[str, Sequence[Run]]) -> list[str]:
    """Return what is wrong with what was measured."""
    found = [
        f"{way}: {peak(runs):.2f} GiB, over the limit of {LIMIT_BYTES >> 30}"
        for way, runs in measured.items()
        if peak(runs) * (1 << 30) > LIMIT_BYTES
    ]
    for ours, other in zip(measured[OURS], measured.get(TRL, ()), strict=False):
        first, second = ours["losses"][0], other["losses"][0]
        if abs(first - second) > TOLERANCE * first:
            found.append(f"TRL: the first loss is {second}, ours {first}: not the same work")
    return found


if __name__ == "__main__":
    sys.exit(main())
