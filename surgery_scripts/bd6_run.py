"""Runs one arm through the surgery's own commands: train, dial, merge, judge. Resumable.

Every step is a child process of one thread; what a step has finished is not done again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec
from bd6_arms import ROOT, dialled, made_of, render_recipe, work_of
from bd6_rows import Row, count, read_answers

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.surgery.recipe import Recipe

JUDGE = ROOT / "surgery_scripts" / "bd6_judge.py"
BASE_ANSWERS = "base.json"
CANDIDATE, FOLDED, TRAINED = "candidate.planck", "fold.json", "training.json"
OF_FOLD = ("strength", "survived", "moved", "weights", "sha256")
OF_TRAINING = (
    *("steps", "best_step", "loss_before", "loss_after", "seconds", "peak_bytes"),
    *("trainable", "free", "replayed", "rehearsed"),
)


class ChildError(AnchorgateError):
    """A child ended otherwise than well."""


@dataclass(slots=True)
class Children:
    """The processes that run now; none is left, and none begins, after `end`."""

    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _ended: bool = False
    _lock: Lock = field(default_factory=Lock)

    def run(self, arguments: Sequence[object], said: Path) -> None:
        """Run Python with these arguments; what it says goes into a file.

        :raises ChildError: with its last words, when it fails.
        """
        said.parent.mkdir(parents=True, exist_ok=True)
        with said.open("ab") as file:
            with self._lock:
                if self._ended:
                    raise ChildError("ended")
                process = subprocess.Popen(
                    [sys.executable, *map(str, arguments)],
                    cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )  # fmt: skip
                self._running.add(process)
            status = process.wait()
            self._running.discard(process)
        if status:
            lines = said.read_text("utf-8", errors="replace").splitlines() or ["nothing"]
            raise ChildError(f"{said}: ended with {status}, and last said: {lines[-1]}")

    def end(self) -> None:
        """End what runs."""
        with self._lock:
            self._ended = True
            for process in list(self._running):
                process.terminate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One arm with one seed. ``dials``: whether a second pack is made with the dial."""

    arm: str
    seed: int
    recipe: Recipe
    dials: bool = True

    @property
    def made_of(self) -> str:
        """The digest of what decides its rows."""
        return made_of(self.recipe)

    @property
    def name(self) -> str:
        """Its directory's name."""
        plain = "".join(letter if letter.isalnum() else "-" for letter in self.arm)
        return f"{plain}-{self.seed}-{self.made_of}"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where jobs run. ``fresh``: whether fresh tasks are judged too."""

    work: Path
    children: Children
    fresh: bool = True

    @property
    def base(self) -> Path:
        """What the base answers."""
        return self.work / BASE_ANSWERS

    def ask_base(self, pack: str) -> None:
        """Record the base's own answers; they are what is kept, and drafts of others'."""
        self._judge(pack, self.base, said=self.work / "base.txt")

    def _judge(self, pack: str | Path, answers: Path, *more: object, said: Path) -> None:
        asked = () if self.fresh else ("--without-fresh",)
        self.children.run([JUDGE, pack, answers, *more, *asked], said)

    def train(self, job: Job) -> Path:
        """Train, and return where the adapter and its report are."""
        folder = self.work / job.name
        recipe, out = folder / "recipe.toml", folder / "training"
        write_file(recipe, render_recipe(job.recipe).encode(), parents=True)
        module = "pytest_anchorgate.surgery.train"
        self.children.run(["-m", module, recipe, "--out", out], folder / "said.txt")
        return out

    def fold(self, job: Job, training: Path, *, dial: bool) -> Path:
        """Merge what was trained, all of it or as the dial says; return where the pack is."""
        recipe = training.with_name("recipe.toml")
        out = training.with_name("dialled" if dial else "plain")
        if dial:
            recipe = training.with_name("dial.toml")
            write_file(recipe, render_recipe(dialled(job.recipe)).encode())
        if not (out / FOLDED).exists():
            out.mkdir(exist_ok=True)
            module = "pytest_anchorgate.surgery.fold"
            adapter = training / "adapter"
            command = ["-m", module, recipe, "--out", out, "--adapter", adapter]
            self.children.run(command, training.with_name("said.txt"))
        return out

    def judge(self, folded: Path) -> dict[str, int]:
        """Return how many tasks of each list the pack solves, or keeps."""
        answers = folded / "answers.json"
        if not answers.exists():
            said = folded.with_name("said.txt")
            self._judge(folded / CANDIDATE, answers, "--drafts", self.base, said=said)
        return {"fresh": 0, **count(read_answers(answers), read_answers(self.base))}

    def run(self, job: Job) -> list[Row]:
        """Return the row without the dial, and the one with it."""
        training = self.train(job)
        if not job.dials:
            return [self._row(job, training, self.fold(job, training, dial=False), dial=False)]
        folded = self.fold(job, training, dial=True)
        dialled_row = self._row(job, training, folded, dial=True)
        if dialled_row.strength != 1:  # else it is the same sum, rounded the same
            folded = self.fold(job, training, dial=False)
        return [self._row(job, training, folded, dial=False), dialled_row]

    def _row(self, job: Job, training: Path, folded: Path, *, dial: bool) -> Row:
        trained, merged = _read(training / TRAINED), _read(folded / FOLDED)
        values = {
            "arm": job.arm,
            "seed": job.seed,
            "dial": dial,
            "made_of": job.made_of,
            "tried": merged["dial"] if dial else [],
            **self.judge(folded),
            **{key: merged[key] for key in OF_FOLD},
            **{key: trained[key] for key in OF_TRAINING},
        }
        return msgspec.convert(values, Row)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


Outcome = list[Row] | AnchorgateError


def run_all(
    jobs: Sequence[Job], work: Path, *, at_once: int, fresh: bool = True
) -> Iterator[tuple[Job, Outcome]]:
    """Yield each job with its rows, or with why it has none, as they are finished."""
    if not jobs:
        return
    children = Children()
    bench, left = Bench(work, children, fresh), Left(jobs)
    with ThreadPoolExecutor(at_once) as pool:
        try:
            bench.ask_base(jobs[0].recipe.base)
            asked = {pool.submit(bench.run, job): job for job in jobs}
            for future in as_completed(asked):
                job, rows = asked[future], _outcome(future)
                say(left.line(job, rows))
                yield job, rows
        except BaseException:  # Ctrl-C, and a caller that asks for no more: nothing goes on
            pool.shutdown(wait=False, cancel_futures=True)
            children.end()
            raise


def _outcome(future: Future[list[Row]]) -> Outcome:
    try:
        return future.result()
    except AnchorgateError as error:
        return error


def say(line: str) -> None:
    """Say how far it is."""
    print(f"bd6: {line}", file=sys.stderr, flush=True)


class Left:
    """How much of all jobs is left, by what each costs."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs, self._done = len(jobs), 0
        self._work = sum(work_of(job.recipe) for job in jobs)
        self._finished, self._began = 0.0, time.monotonic()

    def line(self, job: Job, rows: Outcome) -> str:
        """Count a finished job, and return what to say of it."""
        self._done += 1
        self._finished += work_of(job.recipe)
        passed = time.monotonic() - self._began
        minutes = passed * (self._work / self._finished - 1) / 60
        found = f"failed: {rows}" if isinstance(rows, AnchorgateError) else _counts(rows)
        return (
            f"{job.arm}, seed {job.seed}: {found}; {self._done}/{self._jobs} done, "
            f"{minutes:.0f} min left"
        )


def _counts(rows: Sequence[Row]) -> str:
    return ", dialled ".join(
        f"{row.anchors} anchors, {row.sentinels} sentinels, {row.poison} poison" for row in rows
    )
