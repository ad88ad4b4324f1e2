"""Programs whose verdicts are known: what a sandbox must get right before it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import CanaryError
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.outcome import Kind

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.run import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One program and how its check must end."""

    name: str
    program: str
    kind: Kind
    cpu_s: float = 1.0


CANARIES = (
    Canary(name="correct", program="def f(x):\n    return x * x", kind=Kind.PASSED),
    Canary(
        name="correct in another way",
        program="import math\n\n\ndef f(x):\n    print(x)\n    return math.prod([x, x])",
        kind=Kind.PASSED,
    ),
    Canary(name="wrong", program="def f(x):\n    return x + x + 1", kind=Kind.ASSERTION),
    Canary(
        name="endless",
        program="def f(x):\n    while True:\n        pass",
        kind=Kind.CPU,
        cpu_s=0.03,
    ),
    Canary(
        name="lying",
        program="class Lie:\n    def __eq__(self, other):\n        return True\n\n\n"
        "def f(x):\n    return Lie()",
        kind=Kind.NOT_PLAIN,
    ),
    Canary(
        name="exiting",
        program="import os\n\n\ndef f(x):\n    os._exit(0)",
        kind=Kind.EXIT,
    ),
)
TESTS = ("assert f(2) == 4", "assert f(-3) == 9")


def require_canaries(sandbox: Sandbox) -> None:
    """Run every canary through the sandbox.

    :raises CanaryError: naming the first whose check ended otherwise than it must.
    """
    for canary in CANARIES:
        limits = Limits(cpu_s=canary.cpu_s)
        outcome = sandbox.run(canary.program, TESTS, entry_point="f", limits=limits)
        if outcome.kind is not canary.kind:
            reason = f" ({outcome.reason})" if outcome.reason else ""
            raise CanaryError(
                f"sandbox: the canary {canary.name!r} must end as {canary.kind} and ended as "
                f"{outcome.kind}{reason}. No verdict of this process can be believed."
            )
