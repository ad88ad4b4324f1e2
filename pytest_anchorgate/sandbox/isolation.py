"""The walls around a program: namespaces, or Landlock and seccomp, or resource limits alone.

Each tier has three parts: `build` runs once in the zygote, `settle` once in each of its servers,
and `confine` in every process that a server forks, just before the program. Runs in the zygote.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from pytest_anchorgate.sandbox import landlock, linux, root, seccomp
from pytest_anchorgate.sandbox.emptying import empty

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NOBODY = 65534
OPEN_FILES = 256
SHARED_PROCESSES = 4096  # where the kernel counts all that the user runs besides
HEADROOM = 64 << 20  # bytes that become free for reporting a MemoryError


class Namespaces:
    """User, PID, mount, IPC, UTS and network namespaces around a small read-only root.

    The servers give up every privilege before they fork anything: that costs a check nothing,
    and as first process of its PID namespace a server is out of reach of what it forked.
    """

    namespaced = True
    own_user = True

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.directory: str = config["home"]
        self.filter = seccomp.build_filter(hidden=True)
        self._untouched: tuple[int, ...] = ()

    def build(self, ask_for_mapping: Callable[[], None]) -> None:
        """Enter the namespaces and build the root; processes forked later are in them."""
        linux.unshare(
            linux.CLONE_NEWUSER
            | linux.CLONE_NEWNS
            | linux.CLONE_NEWIPC
            | linux.CLONE_NEWUTS
            | linux.CLONE_NEWNET
        )
        ask_for_mapping()
        root.build_root(self.config["readable"], self.config["hidden"], self.directory)
        os.chdir(self.directory)

    def settle(self) -> None:
        """Give up every privilege."""
        if os.getuid() != NOBODY:
            _become_nobody()
        linux.keep_capabilities(0)
        seccomp.install(self.filter)
        self._untouched = _state(self.directory)

    def begin(self) -> None:
        """Need nothing: the working directory is empty already."""

    def end(self) -> None:
        """Empty the working directory if anything was done to it."""
        if _state(self.directory) != self._untouched:
            empty(self.directory)
            self._untouched = _state(self.directory)

    def leave(self) -> None:
        """Need nothing: all of it goes with the namespaces."""

    def confine(self) -> None:
        """Need nothing: no privilege is left."""


class Landlock:
    """Landlock for files, seccomp for sockets and signals; the processes themselves are seen."""

    namespaced = False

    def __init__(self, config: dict[str, Any]) -> None:
        self.directory = f"{config['directory']}/work"
        self.scoped = landlock.abi() >= landlock.ABI_WITH_SCOPES
        self.own_user = os.getuid() == 0  # which then becomes nobody
        shown = [*root.SYSTEM, *root.SYSTEM_FILES, *config["readable"]]
        readable = [part for path in shown for part in landlock.without(path, config["hidden"])]
        self.rules = landlock.make_ruleset(readable, [config["directory"]], list(root.DEVICES))
        self.filter = seccomp.build_filter(hidden=False)

    def build(self, ask_for_mapping: Callable[[], None]) -> None:
        """Need nothing: `settle` and `confine` do all."""

    def settle(self) -> None:
        """Make sure that whatever a program leaves behind becomes this process's child."""
        linux.adopt_orphans()

    def begin(self) -> None:
        """Make an empty working directory."""
        _make(self.directory)
        if self.own_user:
            os.chown(self.directory, NOBODY, NOBODY)

    def end(self) -> None:
        """Throw the working directory away."""
        _remove(self.directory)

    def leave(self) -> None:
        """Throw away what the zygote was given to work in."""
        _remove_box(self.directory)

    def confine(self) -> None:
        """Give up every privilege; a root keeps reading what Landlock lets it read."""
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1, about="no_new_privs")
        if self.own_user:
            linux.prctl(linux.PR_SET_KEEPCAPS, 1, about="keepcaps")
            held = linux.permitted_capabilities()
            _become_nobody()
            linux.keep_capabilities(held & (1 << linux.CAP_DAC_READ_SEARCH))
        linux.die_with_parent()
        landlock.restrict(self.rules)
        if self.scoped:
            seccomp.install(self.filter)
        else:
            seccomp.install(seccomp.build_filter(hidden=False, signal_only=os.getpid()))


class Rlimits:
    """No walls: resource limits and a working directory alone."""

    namespaced = False
    own_user = False

    def __init__(self, config: dict[str, Any]) -> None:
        self.directory = f"{config['directory']}/work"

    def build(self, ask_for_mapping: Callable[[], None]) -> None:
        """Need nothing."""

    def settle(self) -> None:
        """Make sure that what a program leaves behind is found, where the system can."""
        if sys.platform == "linux":
            linux.adopt_orphans()

    def begin(self) -> None:
        """Make an empty working directory."""
        _make(self.directory)

    def end(self) -> None:
        """Throw the working directory away."""
        _remove(self.directory)

    def leave(self) -> None:
        """Throw away what the zygote was given to work in."""
        _remove_box(self.directory)

    def confine(self) -> None:
        """Take nothing away."""
        if sys.platform == "linux":
            linux.die_with_parent()


Tier = Namespaces | Landlock | Rlimits
TIERS: dict[str, type[Tier]] = {
    "namespaces": Namespaces,
    "landlock": Landlock,
    "rlimits": Rlimits,
}


_LIMITED = ("CORE", "CPU", "FSIZE", "NOFILE", "NPROC", "AS")
_MOST = {  # what we ourselves are limited to; "infinite" is -1
    which: resource.getrlimit(which)[1] % (1 << 64)
    for which in (getattr(resource, f"RLIMIT_{name}") for name in _LIMITED)
}


def limit(job: dict[str, Any], *, own_user: bool) -> None:
    """Set the resource limits of this process and of all that it starts."""
    processes = job["processes"] if own_user else max(job["processes"], SHARED_PROCESSES)
    whole = int(job["cpu_s"]) + 1  # never before the server, which counts exactly
    limits = [
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, whole, whole + 1),
        (resource.RLIMIT_FSIZE, job["file_bytes"], job["file_bytes"]),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (resource.RLIMIT_NPROC, processes, processes),
    ]
    if sys.platform != "darwin":  # which refuses to limit address space
        limits.append((resource.RLIMIT_AS, job["memory_bytes"], job["memory_bytes"] + HEADROOM))
    for which, soft, hard in limits:
        most = _MOST[which]
        resource.setrlimit(which, (min(soft, most), min(hard, most)))


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _state(directory: str) -> tuple[int, ...]:
    """Return what changes when anybody does anything to a directory or in it."""
    seen = os.stat(directory)
    return seen.st_ctime_ns, seen.st_mode, seen.st_nlink, seen.st_size


def _make(directory: str) -> None:
    os.mkdir(directory, 0o700)
    os.chdir(directory)


def _remove_box(directory: str) -> None:
    """Remove a working directory and the one around it, also where nobody else is left to."""
    with contextlib.suppress(OSError):
        _remove(directory)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(directory))


def _remove(directory: str) -> None:
    os.chdir("/")
    empty(directory)
    os.rmdir(directory)
