"""One small interpreter per worker that forks a judge and a candidate for every check.

It has imported what programs import, stands inside the walls already, and serves orders from the
process that started it: one server forks judges, the other candidates. Each ends when its socket
closes, and everything that it forked ends with it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import signal
import socket
import sys
import time

from pytest_anchorgate.sandbox import isolation, linux, orders
from pytest_anchorgate.sandbox.descendants import descendants
from pytest_anchorgate.sandbox.server import Server

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any, NoReturn

# Imported once, so that a program's own import of them costs nothing.
COMMON = (
    "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "json", "math", "operator", "random", "re",
    "statistics", "string", "time", "typing",
)  # fmt: skip
PATIENCE_S = 0.5


def main(config: dict[str, Any], fds: list[int]) -> NoReturn:
    """Build the walls, start both servers, and wait until they end."""
    judges, candidates = (socket.socket(fileno=fd) for fd in fds)
    _prepare_interpreter()
    if config["numpy_path"]:
        sys.meta_path.append(NumpyFinder(config["numpy_path"]))
    for name in COMMON:
        importlib.import_module(name)
    try:
        tier: isolation.Tier = isolation.TIERS[config["tier"]](config)
        tier.build(lambda: _ask_for_mapping(candidates))
    except (OSError, KeyError) as error:
        orders.send_answer(candidates, {"refused": f"{type(error).__name__}: {error}"})
        os._exit(1)
    for own, other in ((judges, candidates), (candidates, judges)):
        if os.fork() == 0:
            other.close()
            _serve_inside(tier, own, is_judge=own is judges)
    judges.close()
    candidates.close()
    _wait_for_all()
    os._exit(0)


class NumpyFinder:
    """Finds numpy, and nothing else that is installed beside it."""

    def __init__(self, path: str) -> None:
        self.path = f"{path}/numpy"

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """Return numpy's own spec, or nothing; its submodules are found through its path."""
        if name != "numpy":
            return None
        return importlib.util.spec_from_file_location(
            name, f"{self.path}/__init__.py", submodule_search_locations=[self.path]
        )


def _prepare_interpreter() -> None:
    """Have an empty input, be the first that the kernel kills when memory is short."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _wait_for_all() -> None:
    """Wait until both servers have ended, then end and collect all that they left."""
    if sys.platform == "linux":
        linux.adopt_orphans()
    os.wait()
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:  # the other hears of it from who started us
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(PATIENCE_S / 50)
        while True:
            for pid in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.wait()


def _ask_for_mapping(control: socket.socket) -> None:
    """Have the ids of the new user namespace mapped, which only a process outside may do."""
    orders.send_answer(control, {"map": True})
    answer = orders.receive_order(control)
    if answer is None or not answer[0].get("mapped"):
        raise OSError(1, answer[0]["why"] if answer else "nobody mapped our ids")


def _serve_inside(tier: isolation.Tier, control: socket.socket, *, is_judge: bool) -> NoReturn:
    """Serve, as the first process of a new PID namespace where the tier has one."""
    try:
        if tier.namespaced:
            _enter_pid_namespace(control)
        tier.settle()
        if tier.namespaced:
            linux.die_with_parent()  # after the change of user, which takes it back
    except OSError as error:
        orders.send_answer(control, {"refused": f"{type(error).__name__}: {error}"})
        os._exit(1)
    Server(tier, control, is_judge=is_judge).serve()


def _enter_pid_namespace(control: socket.socket) -> None:
    """Become the first process of a new PID namespace; its parent waits for it."""
    linux.die_with_parent()
    linux.unshare(linux.CLONE_NEWPID)
    if (pid := os.fork()) != 0:
        control.close()
        os.waitpid(pid, 0)
        os._exit(0)
