"""How the gate grows with tasks, workers and answers, and how fast it reads beside the machine.

    python benchmarks/scaling.py           some twenty minutes
    python benchmarks/scaling.py --quick   few tasks, a small model

Tasks and workers: whole gates of synthetic tasks on the demo pack, without a baseline, in an empty
store; their wall time and the largest memory of all their processes together (proportional set
sizes, sampled). Lengths and prefill: the engine alone, in a process of its own. Prints tables,
writes JSON and a plot.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from contestants import GATE_STATUSES, PLUGINS, last_line
from lines import render_svg
from memory import Watch
from progress import say
from rendering import table
from work import DEMO

TASKS, WORKERS = (10, 100, 1_000, 10_000), (0, 1, 2, 4)
TASKS_OF_WORKERS = 300
ANSWER = 32  # tokens at most
QUICK_TASKS, QUICK_WORKERS = (4, 8), (0, 2)
MEGABYTE = 1e6
SUM = '''def {name}(n):
    """Add {number} to n.
    >>> {name}(1)
    {result}
    """
'''


def main() -> int:
    """Measure, print and write."""
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="anchorgate-scaling-") as name:
        measured = measure(Path(name), quick=options.quick, rounds=options.rounds)
    print(render(measured))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scaling.json").write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    (options.out / "scaling.svg").write_text(render_svg(curves(measured)), "utf-8")
    return 0


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of what takes less than a minute")
    parser.add_argument("--quick", action="store_true", help="few tasks, a small model, one round")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def measure(folder: Path, *, quick: bool, rounds: int) -> dict[str, Any]:
    """Return everything that was measured, as plain JSON values."""
    counts, workers = (QUICK_TASKS, QUICK_WORKERS) if quick else (TASKS, WORKERS)
    many = counts[-1] if quick else TASKS_OF_WORKERS
    by_tasks, by_workers = {}, {}
    for count in counts:
        say(f"{count} tasks ...")
        often = rounds if count <= TASKS_OF_WORKERS else 1
        by_tasks[count] = middle([gate(folder, count, workers=0) for _ in range(often)])
    of_workers: dict[int, list[dict[str, float]]] = {count: [] for count in workers}
    for number in range(rounds):
        for count in workers:
            say(f"round {number + 1}/{rounds}: {many} tasks, {count} workers ...")
            of_workers[count].append(gate(folder, many, workers=count))
    by_workers = {count: middle(found) for count, found in of_workers.items()}
    return {
        "tasks": by_tasks,
        "tasks_of_workers": many,
        "workers": by_workers,
        **engine(folder, quick=quick, rounds=rounds),
    }


def middle(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the medians of equal measurements."""
    return {key: median(one[key] for one in found) for key in found[0]}


def gate(folder: Path, tasks: int, *, workers: int) -> dict[str, float]:
    """Gate so many synthetic tasks once; return seconds and the largest memory in bytes."""
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    (project / "packs").mkdir(parents=True)
    (project / "tests").mkdir()
    shutil.copy(DEMO, project / "packs")
    (project / "pytest.ini").write_text("[pytest]\ngate_anchors = sums.jsonl\n", "utf-8")
    (project / "sums.jsonl").write_text("".join(map(row, range(tasks))), "utf-8")
    shutil.copytree(DEMO.parents[1] / "tests" / "gate", project / "tests" / "gate")
    command = [
        *(sys.executable, "-m", "pytest", *PLUGINS, "-m", "anchor", "-q", "--tb=no", "-rN"),
        *(f"--pack=packs/{DEMO.name}", "--gate-json=out.json", f"-n{workers}"),
        f"--gate-max-new-tokens={ANSWER}",
    ]
    began = time.perf_counter()
    with (project / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=project, stdout=said, stderr=said, env=_alone())
        watch = Watch(process.pid)
        status = process.wait()
    seconds = time.perf_counter() - began
    watch.end()
    if status not in GATE_STATUSES:
        words = (project / "said.txt").read_text("utf-8")
        raise SystemExit(f"{tasks} tasks, {workers} workers: status {status}: {last_line(words)}")
    report = json.loads((project / "out.json").read_text("utf-8"))
    return {
        "seconds": seconds,
        "peak_bytes": float(watch.peak_bytes),
        "largest_bytes": float(watch.largest_bytes),
        "generate_s": report["seconds"]["generate"],
    }


def row(number: int) -> str:
    """Return a task that no other number gives, as a line of JSON."""
    name = f"plus_{number}"
    prompt = SUM.format(name=name, number=number % 97, result=number % 97 + 1)
    test = f"assert {name}(1) == {number % 97 + 1}"
    return json.dumps({"id": name, "prompt": prompt, "entry_point": name, "tests": [test]}) + "\n"


def engine(folder: Path, *, quick: bool, rounds: int) -> dict[str, Any]:
    """Return what `scaling_engine.py` measures."""
    say("the engine alone ...")
    command = [sys.executable, str(Path(__file__).with_name("scaling_engine.py"))]
    command += [str(folder / "wide"), str(rounds), *(["--small"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _alone() -> dict[str, str]:
    """Return the environment without what this pytest, if any, tells its children."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def render(measured: dict[str, Any]) -> str:
    """Return all measurements as tables."""

    def gates(what: str, found: dict[int, dict[str, float]], tasks: int | None) -> str:
        rows = [
            [
                str(count),
                f"{one['seconds']:.1f}",
                f"{1000 * one['seconds'] / (tasks or count):.1f}",
                f"{one['peak_bytes'] / MEGABYTE:.0f}",
                f"{one['largest_bytes'] / MEGABYTE:.0f}",
            ]
            for count, one in found.items()
        ]
        return table([what, "s", "ms a task", "MB, all", "MB, largest process"], rows)

    lengths = [
        [length, f"{one['plain_s']:.2f}", f"{one['drafted_s']:.2f}", f"{one['ratio']:.1f}x"]
        for length, one in measured["lengths"].items()
    ]
    products = [
        [rows, f"{one['mkl_ms']:.1f}", f"{one['onednn_ms']:.1f}", f"{one['ratio']:.2f}x"]
        for rows, one in measured["products"].items()
    ]
    prefill = measured["prefill"]
    return "\n\n".join(
        [
            gates("tasks", measured["tasks"], None),
            gates(
                f"workers, {measured['tasks_of_workers']} tasks",
                measured["workers"],
                measured["tasks_of_workers"],
            ),
            table(["tokens of 64 answers", "plain, s", "drafts, s", "faster"], lengths),
            table(["rows, one layer's products", "torch, ms", "oneDNN, ms", "faster"], products),
            f"prefill of {prefill['tokens']} tokens: {prefill['gflops']:.0f} GFLOP/s in float32, "
            f"{100 * prefill['share']:.0f} % of the {prefill['peak_gflops']:.0f} of torch's best "
            f"matrix product here; with torch's own layers {prefill['torch_gflops']:.0f}",
        ]
    )


def curves(measured: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return what is drawn: panels of named curves."""
    tasks, lengths = measured["tasks"], measured["lengths"]
    return {
        "seconds of a gate, by tasks": {
            "all": [(count, one["seconds"]) for count, one in tasks.items()],
            "generation": [(count, one["generate_s"]) for count, one in tasks.items()],
        },
        "seconds of 64 answers, by tokens": {
            "plain": [(int(length), one["plain_s"]) for length, one in lengths.items()],
            "drafts": [(int(length), one["drafted_s"]) for length, one in lengths.items()],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
