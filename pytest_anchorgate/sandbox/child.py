"""The sandboxed side: limits itself, runs one program and its tests, reports once.

Started by ``process.py`` in a fresh interpreter. Every import here is start-up time of every
program, hence the underscored built-in modules. The report is for the tests' author to read; it
is no protection against a program that means to forge one.
"""

from __future__ import annotations

import _ast
import _signal  # type: ignore[import-not-found]  # signal.py imports enum
import builtins
import posix
import resource
import sys
from _json import encode_basestring_ascii as json_string

from pytest_anchorgate.sandbox import asserts
from pytest_anchorgate.sandbox.values import render_exception, render_value, shorten

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType
    from typing import Any, NoReturn

PROGRAM, SETUP, TEST = "<program>", "<setup>", "<test "
MODULE = "__program__"  # not "__main__": see docs/verdicts.md
HEADROOM = 64 << 20  # bytes that become free for reporting a MemoryError


class Failed(Exception):
    """What to report when a stage could not be completed."""

    def __init__(self, kind: str, error: BaseException | None = None) -> None:
        self.kind, self.error = kind, error


def main(report_fd: int, job: dict[str, Any]) -> NoReturn:
    """Run the job, write ``started`` and one line of JSON, end."""
    own_pid = posix.getpid()
    _prepare_interpreter()
    if job["numpy_path"]:
        sys.meta_path.append(NumpyFinder(job["numpy_path"]))
    _limit(job)
    used = resource.getrusage(resource.RUSAGE_SELF)
    posix.write(report_fd, b"started %f\n" % (used.ru_utime + used.ru_stime))
    report = Run(job).report()
    if posix.getpid() == own_pid:  # else: a copy that the program forked and let run on
        _flush()
        line = ", ".join(f'"{key}": {_json(value)}' for key, value in report.items())
        posix.write(report_fd, b"{%s}\n" % line.encode())
    posix._exit(0)


def _prepare_interpreter() -> None:
    """Take away the job and ourselves; give what a program may expect of an interpreter."""
    empty = posix.open("/dev/null", posix.O_RDONLY)
    posix.dup2(empty, 0)
    posix.close(empty)
    for name in [name for name in sys.modules if name.startswith("pytest_anchorgate")]:
        del sys.modules[name]
    for name in ("job", "modules", "name", "code"):
        del sys.modules["__main__"].__dict__[name]
    sys.argv = [PROGRAM]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # -S left them out


class NumpyFinder:
    """Finds numpy, and nothing else that is installed beside it."""

    def __init__(self, path: str) -> None:
        self.path = [path]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """Return numpy's own spec, or nothing; its submodules are found through its path."""
        if name != "numpy":
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, self.path)


def _limit(job: dict[str, Any]) -> None:
    cpu_s = job["cpu_s"]
    whole = int(cpu_s) + 1  # never before the timer below
    limits = [
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, whole, whole + 1),
        (resource.RLIMIT_FSIZE, job["file_bytes"], job["file_bytes"]),
        (resource.RLIMIT_NPROC, job["processes"], job["processes"]),
    ]
    if sys.platform != "darwin":  # which refuses to limit address space
        limits.append((resource.RLIMIT_AS, job["memory_bytes"], job["memory_bytes"] + HEADROOM))
    for which, soft, hard in limits:
        most = resource.getrlimit(which)[1] % (1 << 64)  # "infinite" is -1
        resource.setrlimit(which, (min(soft, most), min(hard, most)))
    _signal.setitimer(_signal.ITIMER_PROF, cpu_s)  # exact, where RLIMIT_CPU counts whole seconds
    _signal.setitimer(_signal.ITIMER_REAL, job["wall_s"] + 1)  # should our parent have died


class Run:
    """One program and its tests in one namespace."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.module = type(sys)(MODULE)
        self.namespace = self.module.__dict__
        self.spans: list[asserts.Span] = []
        self.span_tests: list[int] = []
        self.failed: tuple[Any, ...] = (None,)

    def report(self) -> dict[str, Any]:
        """Run to the end, or to the first thing that goes wrong, and say which."""
        try:
            self._run()
        except Failed as failed:
            return self._failure(failed)
        return {"kind": "passed"}

    def _run(self) -> None:
        tests = [self._compile_test(k, test) for k, test in enumerate(self.job["tests"])]
        setup = self._compile("tests", self.job["setup"], SETUP)
        program = self._compile("syntax", self.job["program"], PROGRAM)
        sys.modules[MODULE] = self.module
        self.namespace["__builtins__"] = builtins
        self.namespace[asserts.FAILED] = self._assertion_error
        self._execute(program)
        self._execute(setup)
        entry_point = self.job["entry_point"]
        if entry_point and entry_point not in self.namespace:
            raise Failed("missing")
        for test in tests:
            self._execute(test)

    def _compile(self, kind: str, source: str | _ast.Module, name: str) -> CodeType:
        try:
            code: CodeType = compile(source, name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            raise Failed(kind, error) from None
        return code

    def _compile_test(self, k: int, source: str) -> CodeType:
        name = f"{TEST}{k}>"
        try:
            tree: Any = compile(source, name, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise Failed("tests", error) from None
        asserts.rewrite(tree, self.spans)
        self.span_tests += [k] * (len(self.spans) - len(self.span_tests))
        return self._compile("tests", tree, name)

    def _execute(self, code: CodeType) -> None:
        try:
            exec(code, self.namespace)
        except BaseException as error:
            raise Failed("failed", error) from None

    def _assertion_error(
        self, span: int, operator: str, left: object, right: object, *message: object
    ) -> AssertionError:
        error = AssertionError(*message)
        self.failed = (error, span, operator, left, right)
        return error

    def _failure(self, failed: Failed) -> dict[str, Any]:
        error = failed.error
        if isinstance(error, MemoryError):
            return self._memory(error)
        report: dict[str, Any] = {"kind": failed.kind}
        if error is None:
            return report
        if isinstance(error, SystemExit):
            report["kind"] = "exit"
        report["exception"] = render_exception(error)
        if failed.kind in ("syntax", "tests"):
            return report | {"program_line": getattr(error, "lineno", None)}
        report |= self._place(error)
        if self.failed[0] is error:
            report |= self._values()
        return report

    def _memory(self, error: MemoryError) -> dict[str, Any]:
        if sys.platform != "darwin":
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        report = {"kind": "memory", **self._place(error)}
        error.__traceback__ = None
        return report

    def _place(self, error: BaseException) -> dict[str, Any]:
        """Return the innermost lines of the traceback in the program and in a test."""
        place: dict[str, Any] = {"where": "program"}
        traceback = error.__traceback__
        while traceback is not None:
            name, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            if name == PROGRAM:
                place["program_line"] = line
            elif name == SETUP:
                place |= {"where": "setup", "line": line}
            elif name.startswith(TEST):
                place |= {"where": "test", "test": int(name[len(TEST) : -1]), "line": line}
            traceback = traceback.tb_next
        if place["where"] == "test":
            place["assertion"] = self._assertion(place["test"], place["line"])
        return place

    def _assertion(self, test: int, line: int) -> str:
        source: str = self.job["tests"][test]
        for k, span in zip(self.span_tests, self.spans, strict=True):
            if k == test and span.first <= line <= span.last:
                return span.text(source)
        lines = source.split("\n")
        return lines[line - 1].strip() if line <= len(lines) else ""

    def _values(self) -> dict[str, Any]:
        _, span, operator, left, right = self.failed
        values = {"operator": operator, "left": render_value(left)}
        if operator not in ("", "not"):
            values["right"] = render_value(right)
        values["assertion"] = self.spans[span].text(self.job["tests"][self.span_tests[span]])
        return values


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except (OSError, ValueError, AttributeError):
            continue  # the program closed it


def _json(value: str | int | None) -> str:
    if value is None:
        return "null"
    return json_string(shorten(value)) if isinstance(value, str) else str(value)
