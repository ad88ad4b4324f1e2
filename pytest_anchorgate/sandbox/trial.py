"""A task's tests, run in a namespace: the judge's, or beside the program in the candidate's.

Runs inside the sandboxed interpreters. What it reports is for the tests' author to read.
"""

from __future__ import annotations

import resource

from pytest_anchorgate.sandbox.values import render_exception, render_value, shorten

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

PROGRAM, PROMPT, SETUP, TEST = "<program>", "<prompt>", "<setup>", "<test "
FAILED = "@failed"  # not an identifier: no test can mean it
MODULE = "__program__"  # what tests and program are called; not "__main__": see docs/verdicts.md
RECURSION_LIMIT = 5000  # for reading a deep value, however deep the caller stands already
MOST_FRAMES = 20


def lift_memory_limit() -> None:
    """Make room for reporting a MemoryError."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


class Broken(Exception):
    """A stage that could not be completed; ``kind`` is the report's, ``error`` the reason."""

    def __init__(self, kind: str, error: BaseException) -> None:
        self.kind, self.error = kind, error


def executed(kind: str, code: CodeType, namespace: dict[str, Any]) -> None:
    """Run code, or raise Broken with ``kind`` when anything at all comes out of it."""
    try:
        exec(code, namespace)
    except BaseException as error:
        raise Broken(kind, error) from None


class Trial:
    """Setup and tests on their way through a namespace."""

    def __init__(self, codes: Sequence[CodeType]) -> None:
        self.codes = codes
        self.failed: tuple[Any, ...] = (None,)

    def run(self, namespace: dict[str, Any]) -> None:
        """Run setup and tests to their end, or raise Broken at the first that fails."""
        namespace[FAILED] = self._assertion_error
        for code in self.codes:
            executed("raised", code, namespace)

    def _assertion_error(
        self, span: int, operator: str, left: object, right: object, *message: object
    ) -> AssertionError:
        error = AssertionError(*message)
        self.failed = (error, span, operator, left, right)
        return error

    def place(self, error: BaseException) -> dict[str, Any]:
        """Return where in setup or tests an exception came from, and its values for an assert."""
        place: dict[str, Any] = {"where": "program"}
        traceback = error.__traceback__
        while traceback is not None:
            name, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            if name == SETUP:
                place |= {"where": "setup", "line": line}
            elif name.startswith(TEST):
                place |= {"where": "test", "test": int(name[len(TEST) : -1]), "line": line}
            traceback = traceback.tb_next
        if self.failed[0] is error:
            _, span, operator, left, right = self.failed
            place |= {"kind": "assertion", "span": span, "operator": operator}
            place["left"] = render_value(left)
            if operator not in ("", "not"):
                place["right"] = render_value(right)
        return place


def report(broken: Broken, trial: Trial | None = None) -> dict[str, Any]:
    """Return what to say of a stage that failed."""
    error = broken.error
    said: dict[str, Any] = {"kind": broken.kind, "exception": render_exception(error)}
    if broken.kind == "syntax":
        return said | {"program_line": getattr(error, "lineno", None)}
    if isinstance(error, MemoryError):
        said["kind"] = "memory"
    elif isinstance(error, SystemExit):
        said["kind"] = "exit"
    frames = _program_frames(error)
    if frames:
        said |= {"program_line": frames[-1][0], "frames": frames}
    return said | (trial.place(error) if trial else {"where": "program"})


def _program_frames(error: BaseException) -> list[list[Any]]:
    """Return line and function of the program's own part of a traceback, innermost last."""
    frames: list[list[Any]] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == PROGRAM:
            frames.append([traceback.tb_lineno, shorten(code.co_name)])
        traceback = traceback.tb_next
    return frames[-MOST_FRAMES:]
