"""What a start costs: importing the plugin, collecting the public suites, gating from the store.

    python benchmarks/startup.py          five rounds, a minute or two; the first gate asks a model
    python benchmarks/startup.py --quick  some tasks, one round, answers from the certificate

Three measurements, each beside a control, taking turns in every round: importing the plugin beside
importing pytest; collecting MBPP, HumanEval and the demo anchors beside collecting as many trivial
parametrized tests; gating the demo anchors when every answer is stored beside running as many
trivial tests. Each in a process of its own that loads no plugins but this one and xdist, from
bytecode that an unmeasured round has written. Prints medians and writes JSON. The data come from
--data. The exit status is 1 when a run does not do what it must (all tasks collected, the pack
accepted, no torch imported), 2 when the data are absent.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from programs import DATA, HUMANEVAL, MBPP, ROOT, DataMissing
from progress import say
from rendering import table

TARGETS = {"import": 0.030, "collect": 0.5, "gate": 2.5}  # seconds; collect: over its control
QUICK_RANGES = {MBPP: ":11-20", HUMANEVAL: ":0-4"}
COPIED = ("packs", "anchors", "tests/gate")
IMPORTS = """
import time
began = time.perf_counter(), time.process_time()
import pytest
imported = time.perf_counter(), time.process_time()
import pytest_anchorgate.plugin
ended = time.perf_counter(), time.process_time()
print(*(b - a for a, b in zip(began + imported, imported + ended)))
"""
PLAIN = """
import pytest

@pytest.mark.parametrize("task", range({count}))
def test_plain(task): pass
"""
INI = "[pytest]\ngate_anchors = anchors/demo.jsonl\n"
HEAVY = re.compile(r"\| +(torch|transformers)$", re.MULTILINE)


class Wrong(Exception):
    """A measured run did not do what it must; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took, in seconds, its children included."""

    wall_s: float
    cpu_s: float


def main() -> int:
    """Measure, print and write; 1 when a run went wrong."""
    options = parse_options()
    if missing := [name for name in (HUMANEVAL, MBPP) if not (options.data / name).is_file()]:
        why = DataMissing(f"{options.data / missing[0]}: no such file.")
        print(f"{why} Give the public data with --data.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="anchorgate-startup-") as scratch:
        try:
            measured = Bench(Path(scratch), options).measured()
        except Wrong as wrong:
            print(wrong, file=sys.stderr)
            return 1
    print(render(measured))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "startup.json"
    path.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    return 0


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="some tasks, one round, no model")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.data = options.data.resolve()
    if options.quick:
        options.rounds = 1
    return options


class Bench:
    """A copy of the demo project, a plain one beside it, and what was measured in both."""

    def __init__(self, scratch: Path, options: argparse.Namespace) -> None:
        self.scratch, self.rounds, self.quick = scratch, options.rounds, options.quick
        self.project = scratch / "project"
        for name in COPIED:
            shutil.copytree(ROOT / name, self.project / name)
        (self.project / "pytest.ini").write_text(INI, "utf-8")
        files = {"mbpp": MBPP, "humaneval": HUMANEVAL}
        ranges = QUICK_RANGES if self.quick else {}
        self.suites = [
            f"--gate-{suite}={options.data / file}{ranges.get(file, '')}"
            for suite, file in files.items()
        ]
        engine = "certified:Certified" if self.quick else "transformers"
        self.gate = ["-m", "anchor", f"--gate-engine={engine}", "-q"]
        self.costs: dict[str, list[Cost]] = {}

    def measured(self) -> dict[str, Any]:
        """Return everything that was measured, as plain JSON values."""
        say("writing bytecode, storing every answer")
        tasks, anchors = self._collect(), self._gate()
        self._refuse_heavy()
        self._plain(tasks, "--collect-only")
        for number in range(self.rounds):
            say(f"round {number + 1}/{self.rounds}")
            self._imports()
            self._note("collect", self._collect)
            self._note("collect control", self._plain, tasks, "--collect-only")
            self._note("gate", self._gate)
            self._note("gate control", self._plain, anchors)
        return {
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
            "rounds": self.rounds,
            "tasks": tasks,
            "anchors": anchors,
            "targets_s": TARGETS,
            "wall_s": {name: median(c.wall_s for c in all_) for name, all_ in self.costs.items()},
            "cpu_s": {name: median(c.cpu_s for c in all_) for name, all_ in self.costs.items()},
            "all_wall_s": {name: [c.wall_s for c in all_] for name, all_ in self.costs.items()},
        }

    def _note(self, name: str, run: Any, *arguments: Any) -> None:
        before, began = os.times(), time.perf_counter()
        run(*arguments)
        wall_s, after = time.perf_counter() - began, os.times()
        cpu_s = sum(after[2:4]) - sum(before[2:4])
        self.costs.setdefault(name, []).append(Cost(wall_s=wall_s, cpu_s=cpu_s))

    def _imports(self) -> None:
        said = self._python(self.scratch, "-c", IMPORTS).stdout.split()
        pytest_wall, pytest_cpu, wall, cpu = map(float, said)
        control = Cost(wall_s=pytest_wall, cpu_s=pytest_cpu)
        self.costs.setdefault("import", []).append(Cost(wall_s=wall, cpu_s=cpu))
        self.costs.setdefault("import control", []).append(control)

    def _collect(self) -> int:
        marked = ("--collect-only", "-q", "-m", "anchor or mbpp or humaneval")
        done = self._pytest(self.project, "-p", "anchorgate", *marked, *self.suites)
        return _count(r"(\d+) tests collected", done)

    def _gate(self) -> int:
        done = self._pytest(self.project, "-p", "anchorgate", *self.gate)
        if "ACCEPTED" not in done.stdout:
            raise Wrong(f"the demo pack was not accepted:\n{done.stdout}{done.stderr}")
        return _count(r"(\d+) passed", done)

    def _refuse_heavy(self) -> None:
        """Gate once more and look at what is imported; every answer is stored by now."""
        importing = ("-X", "importtime", "-m", "pytest", "-p", "xdist", "-p", "anchorgate")
        done = self._python(self.project, *importing, *self.gate)
        if heavy := HEAVY.search(done.stderr):
            raise Wrong(f"a gate with stored answers imported {heavy[1]}.")

    def _plain(self, count: int, *arguments: str) -> int:
        folder = self.scratch / f"plain-{count}"
        folder.mkdir(exist_ok=True)
        (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
        (folder / "test_plain.py").write_text(PLAIN.format(count=count), "utf-8")
        return _count(r"(\d+) (?:tests collected|passed)", self._pytest(folder, "-q", *arguments))

    def _pytest(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._python(folder, "-m", "pytest", "-p", "xdist", *arguments)

    def _python(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        unset = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "CI")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        path = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
        environment |= {
            "PYTHONPATH": path,
            "PYTHONPYCACHEPREFIX": str(self.scratch / "bytecode"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


def _count(pattern: str, done: subprocess.CompletedProcess[str]) -> int:
    found = re.search(pattern, done.stdout)
    if done.returncode or found is None:
        raise Wrong(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return int(found[1])


def render(measured: dict[str, Any]) -> str:
    """Return the medians as a table."""
    names = {
        "import": "import the plugin, beside pytest",
        "collect": f"collect {measured['tasks']} tasks",
        "gate": f"gate {measured['anchors']} anchors, all stored",
    }
    rows: list[list[str]] = []
    for name, what in names.items():
        wall, control = measured["wall_s"][name], measured["wall_s"][f"{name} control"]
        cpu, counted = measured["cpu_s"][name], wall - control if name == "collect" else wall
        kept = "yes" if counted <= TARGETS[name] else "NO"
        limit = f"{'+' if name == 'collect' else ''}{1000 * TARGETS[name]:.0f}: {kept}"
        seconds = [f"{1000 * value:.1f}" for value in (wall, cpu, control, wall - control)]
        rows.append([what, *seconds, f"{wall / control:.2f}x", limit])
    head = [f"ms, median of {measured['rounds']}", "wall", "CPU", "control", "over it", "", "limit"]
    return table(head, rows)


if __name__ == "__main__":
    sys.exit(main())
