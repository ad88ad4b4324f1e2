"""What became of a program. Knows nothing of tasks and of what an outcome means for one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a check ended; docs/verdicts.md gives the reason that goes with each."""

    PASSED = "passed"
    ASSERTION = "assertion"  # a test's assert did not hold
    EXCEPTION = "exception"  # out of the program, or out of a test that met its results
    SYNTAX = "syntax"
    MISSING = "missing"  # no entry point
    NOT_PLAIN = "not-plain"  # it returned something that cannot leave its process
    EXIT = "exit"  # it ended before its tests were done
    CPU = "cpu"
    WALL = "wall"
    MEMORY = "memory"
    FLOOD = "flood"
    SIGNAL = "signal"
    FORBIDDEN = "forbidden"  # a system call
    PROTOCOL = "protocol"  # it spoke to the judge as no program does
    ERROR = "error"  # our machinery broke: never charged to the program


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where a program failed. Values are texts, shortened where they were made."""

    where: str = "program"  # or "setup", or "test"
    test: int | None = None  # index into the tests
    line: int | None = None  # in the setup or in that test
    assertion: str = ""  # the source of the failed assert, or of the test that raised
    left: str = ""
    operator: str = ""
    right: str = ""
    exception: str = ""  # "ValueError: bad input"
    program_line: int | None = None
    frames: tuple[tuple[int, str], ...] = ()  # the program's own: line and function, innermost last

    @property
    def explanation(self) -> str:
        """The failed condition with values in the place of expressions, as ``7 == 8``."""
        if self.operator == "not":
            return f"not {self.left}"
        return " ".join(part for part in (self.left, self.operator, self.right) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one run: ``reason`` is one line, empty when the program passed."""

    kind: Kind
    reason: str = ""
    failure: Failure | None = None
    stdout_tail: str = ""  # the end of stdout and stderr
    cpu_s: float = 0.0  # of the program and all that it started
    wall_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every test ran and held."""
        return self.kind is Kind.PASSED
