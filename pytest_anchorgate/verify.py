"""Task and completion in, verdict out. Knows nothing of pytest, engines and stores.

Verdicts cross process borders (xdist, certificates) as plain JSON, hence ``to_json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.sandbox.limits import DEFAULT_CPU_S, Limits
from pytest_anchorgate.sandbox.outcome import Failure, Kind
from pytest_anchorgate.sandbox.values import escape
from pytest_anchorgate.tasks.extract import EXTRACTOR_VERSION, Stage, extract

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.run import Sandbox
    from pytest_anchorgate.tasks.prompt import Prompt
    from pytest_anchorgate.tasks.task import Task

# Part of a certificate's identity: raise the number whenever a verdict may change.
VERIFIER_VERSION = f"verify.2+extract.{EXTRACTOR_VERSION}"
PROGRAM_LINES = 60
LINE_CHARACTERS = 160
VALUE_CHARACTERS = 600
TAIL_LINES = 20


class Status(StrEnum):
    """What an outcome means for its task."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ERROR = "error"  # our machinery broke: never charged to the model


STATUS = {  # of every other kind: failed
    Kind.PASSED: Status.PASSED,
    Kind.CPU: Status.TIMEOUT,
    Kind.WALL: Status.TIMEOUT,
    Kind.ERROR: Status.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one completion is worth: ``reason`` is one line, empty when it passed."""

    task_id: str
    suite: str
    sample: int
    status: Status
    kind: Kind | None = None  # None: no program ran
    reason: str = ""
    completion: str = ""
    program: str = ""
    stage: str = ""  # of the extraction
    failure: Failure | None = None
    stdout_tail: str = ""
    together: bool = False  # the tests ran beside the program
    first_reason: str = ""  # of a first run, which ran out of time: this one ran alone
    seconds: float = 0.0  # wall clock of the run

    @property
    def passed(self) -> bool:
        """Whether the task counts as solved."""
        return self.status is Status.PASSED

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values that ``from_json`` reads back."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_json(cls, plain: object) -> Verdict:
        """Read a verdict; raises AnchorgateError naming what is wrong with it."""
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise AnchorgateError(f"verdict: {error}. It was not written by to_json.") from None


def verify(
    task: Task,
    completion: str,
    *,
    sandbox: Sandbox,
    prompt: Prompt,
    sample: int = 0,
    whole: bool = False,
    timeout_s: float = DEFAULT_CPU_S,
) -> Verdict:
    """Return the verdict on ``completion``: extracted, run in the sandbox, judged.

    ``whole``: the completion is a program of its own and nothing is extracted from it.
    ``timeout_s`` is CPU time; a limit of the task's own stands instead.
    """
    if whole:
        program, stage = completion, Stage.WHOLE
    else:
        extraction = extract(prompt, completion, task)
        program, stage = extraction.program, extraction.stage
    limits = Limits(cpu_s=timeout_s if task.timeout_s is None else task.timeout_s)
    outcome = sandbox.run(
        program,
        task.tests,
        prompt=task.prompt,
        setup=task.setup,
        entry_point=task.entry_point,
        together=task.together,
        limits=limits,
    )
    return Verdict(
        task_id=task.id,
        suite=task.suite,
        sample=sample,
        status=STATUS.get(outcome.kind, Status.FAILED),
        kind=outcome.kind,
        reason=outcome.reason,
        completion=completion,
        program=program,
        stage=stage.value,
        failure=outcome.failure,
        stdout_tail=outcome.stdout_tail,
        together=task.together,
        seconds=round(outcome.wall_s, 4),
    )


def render_failure(verdict: Verdict, task: Task) -> str:
    """Return the failure in pytest's manner: the program, the failed line, the values.

    Bounded in length, and printable whatever the program printed.
    """
    failure = verdict.failure
    reason = cut(verdict.reason, VALUE_CHARACTERS)
    lines = [f"{task.id}: {verdict.status}: {reason}", ""]
    lines += _listing(verdict.program, failure.program_line if failure else None)
    lines += ["", *(_failed_test(failure) if failure else [f"E   {reason}"])]
    if verdict.stdout_tail.strip():
        lines += ["", "printed, at the end:"]
        lines += [f"    {cut(line)}" for line in verdict.stdout_tail.splitlines()[-TAIL_LINES:]]
    lines += ["", f"program extracted by: {cut(verdict.stage)}"]
    if task.origin:
        lines.append(f"task defined in: {task.origin.removeprefix(f'{Path.cwd()}/')}")
    return "\n".join(lines)


def _listing(program: str, marked: int | None) -> list[str]:
    """Return the program with line numbers, a long one only around the marked line."""
    numbered = list(enumerate(program.splitlines(), start=1))
    first = 0
    if marked is not None:
        first = max(0, min(marked - PROGRAM_LINES // 2, len(numbered) - PROGRAM_LINES))
    shown = numbered[first : first + PROGRAM_LINES]
    lines = [
        f"{'>' if number == marked else ' '}{number:>5}  {cut(text)}".rstrip()
        for number, text in shown
    ]
    if first:
        lines.insert(0, f"        ... {first} lines before ...")
    if after := len(numbered) - first - len(shown):
        lines.append(f"        ... {after} lines more ...")
    return lines


def _failed_test(failure: Failure) -> list[str]:
    """Return the failed test's source and what went wrong in it, marked as pytest does."""
    lines = []
    if failure.assertion:
        first, *rest = failure.assertion.splitlines()[:TAIL_LINES]
        lines.append(f">   {cut(first, VALUE_CHARACTERS)}")
        lines += [f"    {cut(line, VALUE_CHARACTERS)}" for line in rest]
    if failure.left:
        lines.append(f"E   assert {cut(failure.explanation, VALUE_CHARACTERS)}")
    if failure.right:
        lines.append(f"E     left:  {cut(failure.left, VALUE_CHARACTERS)}")
        lines.append(f"E     right: {cut(failure.right, VALUE_CHARACTERS)}")
    if failure.exception and failure.exception != "AssertionError":
        lines.append(f"E   {cut(failure.exception, VALUE_CHARACTERS)}")
    if len(failure.frames) > 1:  # a single one is marked in the program already
        lines += [f"E     program line {line}, in {cut(name)}" for line, name in failure.frames]
    return lines


def cut(text: str, most: int = LINE_CHARACTERS) -> str:
    """Return ``text`` printable and at most ``most`` characters of it, the middle left out."""
    escaped = escape(text)
    if len(escaped) <= most:
        return escaped
    half = (most - 5) // 2
    return f"{escaped[:half]} ... {escaped[-half:]}"
