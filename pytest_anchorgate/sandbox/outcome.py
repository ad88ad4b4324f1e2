"""What a program's process did. Knows nothing of tasks and of what an outcome means for one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    ERROR = "error"  # our machinery broke: never charged to the program


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where a program failed. Values are texts, shortened where they were made."""

    where: str  # "program", "setup" or "test"
    test: int | None = None  # index into the tests
    line: int | None = None  # in the setup or in that test
    assertion: str = ""  # the source of the failed assert, or of the test that raised
    left: str = ""
    operator: str = ""
    right: str = ""
    exception: str = ""  # "ValueError: bad input"
    program_line: int | None = None

    @property
    def explanation(self) -> str:
        """The failed condition with values in the place of expressions, as ``7 == 8``."""
        if self.operator == "not":
            return f"not {self.left}"
        return " ".join(part for part in (self.left, self.operator, self.right) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one run: ``reason`` is one line, empty when the program passed."""

    kind: OutcomeKind
    reason: str = ""
    failure: Failure | None = None
    stdout_tail: str = ""  # the end of stdout and stderr
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every test ran and held."""
        return self.kind is OutcomeKind.PASSED
