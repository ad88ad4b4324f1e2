"""What one check costs beside a bare fork: one no-op program, again and again.

Each check alternates with a fork-and-wait in a bare interpreter and one in an interpreter that
has imported what the zygote has, so that whatever else the machine does hits all three.
"""

from __future__ import annotations

import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING

from progress import Progress

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.process import BASE_EXECUTABLE
from pytest_anchorgate.sandbox.zygote import COMMON

if TYPE_CHECKING:
    from pytest_anchorgate.sandbox.run import Sandbox

PROGRAM = "def f(x): return x"
TESTS = ("assert f(1) == 1",)
FORKS = """
import gc, importlib, os, sys, time
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.collect()
gc.freeze()
for _ in sys.stdin:
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    print(time.perf_counter() - began, flush=True)
"""


class Forks:
    """An interpreter that forks and waits whenever it is asked, and says how long that took."""

    def __init__(self, *modules: str) -> None:
        self.process = subprocess.Popen(
            [BASE_EXECUTABLE, "-P", "-s", "-S", "-B", "-c", FORKS, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def seconds(self) -> float:
        """Return what one more fork and wait took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the interpreter."""
        self.process.communicate()


def measured_overhead(sandbox: Sandbox, times: int) -> dict[str, float]:
    """Return the medians in milliseconds, and their ratios."""
    bare, loaded = Forks(), Forks(*COMMON)
    seconds: dict[str, list[float]] = {"bare": [], "loaded": [], "ours": []}
    progress = Progress("overhead", times)
    try:
        for _ in range(times):
            seconds["bare"].append(bare.seconds())
            seconds["loaded"].append(loaded.seconds())
            seconds["ours"].append(_check(sandbox))
            progress.step()
    finally:
        bare.close()
        loaded.close()
    medians = {name: 1000 * median(values) for name, values in seconds.items()}
    return {
        "times": times,
        "check_ms": medians["ours"],
        "bare_fork_ms": medians["bare"],
        "loaded_fork_ms": medians["loaded"],
        "over_bare_fork": medians["ours"] / medians["bare"],
        "over_loaded_fork": medians["ours"] / medians["loaded"],
    }


def _check(sandbox: Sandbox) -> float:
    began = time.perf_counter()
    outcome = sandbox.run(PROGRAM, TESTS, entry_point="f", limits=Limits())
    seconds = time.perf_counter() - began
    if not outcome.passed:
        raise AnchorgateError(f"overhead: the no-op program failed: {outcome.reason}")
    return seconds
