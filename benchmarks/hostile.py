"""The hostile programs of the soak test: those of `tests/hostile` that are cheap, and a few more.

Cheap: done within a tenth of a second, nothing special to prepare or to wait for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from programs import ROOT
from progress import say

from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.outcome import Kind

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.outcome import Outcome
    from pytest_anchorgate.sandbox.run import Sandbox

CHEAP_S = 0.1
DEAR = frozenset({Kind.CPU, Kind.WALL, Kind.MEMORY, Kind.FLOOD})
TESTS = ("assert f(2) == 4", "assert f(3) == 9")
BUILT_IN = {
    "leaves": "import os\nos._exit(0)",
    "becomes a daemon": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
""",
    "leaves files": """
import tempfile
kept = [tempfile.NamedTemporaryFile(delete=False) for _ in range(20)]
for file in kept:
    file.write(b"x" * 10000)
""",
    "prints a megabyte": "print('x' * (1 << 20))",
    "leaves a thread": """
import threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
""",
    "writes everywhere": """
import os
for fd in range(256):
    try:
        os.write(fd, b'{"kind": "passed"}\\n')
    except OSError:
        pass
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One program and how it may end: never passed, and nothing else is known of the built-in."""

    name: str
    program: str
    tests: tuple[str, ...] = TESTS
    entry_point: str = "f"
    limits: Limits = field(default_factory=Limits)
    rest: dict[str, Any] = field(default_factory=dict)  # prompt, setup, together
    allowed: frozenset[Kind] = frozenset(Kind) - {Kind.PASSED, Kind.ERROR}

    def run(self, sandbox: Sandbox) -> Outcome:
        """Return what becomes of it."""
        return sandbox.run(
            self.program,
            self.tests,
            entry_point=self.entry_point,
            limits=self.limits,
            **self.rest,
        )


def cheap_programs(sandbox: Sandbox, *, built_in_only: bool) -> list[Hostile]:
    """Return the hostile programs to run again and again; each has been run once by then.

    One that ends as it must not is left out: `tests/hostile` tells of it.
    """
    found = [Hostile(name=name, program=text) for name, text in BUILT_IN.items()]
    if not built_in_only and (ROOT / "tests" / "hostile").is_dir():
        found += _written_cases(sandbox.tier)
    cheap = []
    for one in found:
        outcome = one.run(sandbox)
        if one.name in BUILT_IN or (outcome.wall_s < CHEAP_S and outcome.kind in one.allowed):
            cheap.append(one)
        elif outcome.kind not in one.allowed:
            say(f"left out: {one.name}: {outcome.kind}: {outcome.reason}")
    return cheap


def _written_cases(tier: str) -> list[Hostile]:
    from tests.hostile.cases import read_cases  # a part of the project that a package lacks

    found = []
    for case in read_cases():
        allowed = frozenset(case.allowed(tier))
        special = case.alone or case.settle_s or case.runs > 1 or "$" in str(case.tests)
        if case.hostile and tier in case.tiers and not special and not allowed & DEAR:
            rest = {"prompt": case.prompt, "setup": case.setup, "together": case.together}
            found.append(
                Hostile(
                    name=case.name,
                    program=case.program,
                    tests=tuple(case.tests),
                    entry_point=case.entry_point,
                    limits=case.stated_limits(),
                    rest=rest,
                    allowed=allowed,
                )
            )
    return found
