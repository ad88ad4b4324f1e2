"""One sandboxed process: its start, its watch and its certain end. Knows nothing of verdicts."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import marshal
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from pytest_anchorgate.sandbox.limits import Limits

# A virtual environment's own interpreter would lead to its packages.
BASE_EXECUTABLE: str = getattr(sys, "_base_executable", sys.executable)
# The child's modules come compiled with its job: nothing of ours is on its path.
BOOT = """
import marshal, sys
modules, job = marshal.load(sys.stdin.buffer)
for name, code in modules:
    sys.modules[name] = type(sys)(name)
    exec(code, sys.modules[name].__dict__)
sys.modules["pytest_anchorgate.sandbox.child"].main(int(sys.argv[1]), job)
"""
TAIL_BYTES = 4096
REPORT_BYTES = 1 << 20
POLL_S = 0.01  # where the kernel has no pidfd to wait on


class Ending(Enum):
    """Why the watch over a process ended."""

    EXITED = "exited"
    WALL = "wall"
    FLOOD = "flood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """All that is known of a process that is gone."""

    ending: Ending
    code: int  # negative: the number of the signal that killed it
    cpu_s: float
    wall_s: float
    report: bytes
    output: bytes  # its end


@dataclass(slots=True)
class _Stream:
    """What has been read from one pipe: the first or the last ``keep`` bytes, and how many."""

    fd: int
    keep: int
    last: bool
    kept: bytes = b""
    total: int = 0
    open: bool = True

    def read(self) -> None:
        """Read what is there; at the end of the stream, note that it is closed."""
        try:
            piece = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return
        self.open = bool(piece)
        self.total += len(piece)
        joined = self.kept + piece
        self.kept = joined[-self.keep :] if self.last else joined[: self.keep]

    def drain(self, most: int) -> None:
        """Read what a dead process left behind."""
        os.set_blocking(self.fd, False)
        before = -1
        while self.open and before < self.total <= most:
            before = self.total
            self.read()


@dataclass(slots=True)
class _Watch:
    """Reads a process's output until it exits or breaks a limit."""

    process: subprocess.Popen[bytes]
    output: _Stream
    report: _Stream
    limits: Limits
    started: float = field(default_factory=time.monotonic)

    def wait(self) -> Ending:
        """Return why the process need not be watched further; it may still be running."""
        with _pidfd(self.process.pid) as pidfd:
            poll = select.poll()
            streams = {stream.fd: stream for stream in (self.output, self.report)}
            for fd in [*streams, *([] if pidfd is None else [pidfd])]:
                poll.register(fd, select.POLLIN)
            while (left := self.limits.wall_s - self.elapsed) > 0:
                ready = poll.poll(1000 * (left if pidfd is not None else min(left, POLL_S)))
                for stream in (streams[fd] for fd, _ in ready if fd in streams):
                    stream.read()
                    if not stream.open:
                        poll.unregister(stream.fd)
                if self.output.total > self.limits.output_bytes:
                    return Ending.FLOOD
                if _exited(self.process.pid):
                    return Ending.EXITED
        return Ending.WALL

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started


def run_child(job: dict[str, object], *, limits: Limits) -> Exit:
    """Run ``job`` in a fresh interpreter; when this returns or raises, nothing of it is left.

    Raises SandboxError when the machinery fails: no process, no disk.
    """
    try:
        with (
            _workspace() as directory,
            _pipe() as report,
            _pipe() as output,
            _spawned(job, directory, report_fd=report[1], output_fd=output[1]) as child,
        ):
            os.close(report.pop())
            os.close(output.pop())
            watch = _Watch(
                child,
                _Stream(output[0], TAIL_BYTES, last=True),
                _Stream(report[0], REPORT_BYTES, last=False),
                limits,
            )
            ending = watch.wait()
            return _bury(watch, ending)
    except OSError as error:
        raise SandboxError(f"sandbox: {error}. The program was not run to its end.") from error


def _bury(watch: _Watch, ending: Ending) -> Exit:
    """Kill the process and its group, reap it, and return what it left."""
    wall_s = watch.elapsed
    code, cpu_s = _reap(watch.process)
    watch.output.drain(watch.limits.output_bytes)
    watch.report.drain(REPORT_BYTES)
    if ending is Ending.EXITED and watch.output.total > watch.limits.output_bytes:
        ending = Ending.FLOOD
    return Exit(
        ending=ending,
        code=code,
        cpu_s=cpu_s,
        wall_s=wall_s,
        report=watch.report.kept,
        output=watch.output.kept,
    )


@contextlib.contextmanager
def _spawned(
    job: dict[str, object], directory: str, *, report_fd: int, output_fd: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the interpreter as the leader of its own session; end it on the way out."""
    process = None
    with tempfile.TemporaryFile() as stdin:
        marshal.dump((_child_modules(), {**job, "numpy_path": numpy_path()}), stdin)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                [BASE_EXECUTABLE, "-P", "-s", "-S", "-B", "-c", BOOT, str(report_fd)],
                stdin=stdin,
                stdout=output_fd,
                stderr=output_fd,
                cwd=directory,
                env=_environment(directory),
                pass_fds=[report_fd],
                start_new_session=True,
            )
            yield process
        finally:
            if process is not None and process.returncode is None:
                _reap(process)


@functools.cache
def _child_modules() -> tuple[tuple[str, CodeType], ...]:
    """Return the modules that run in the child, each after those that it imports."""
    packages = ("pytest_anchorgate", "pytest_anchorgate.sandbox")
    modules = [(name, compile("", name, "exec")) for name in packages]
    for name in ("values", "asserts", "child"):
        path = Path(__file__).with_name(f"{name}.py")
        code = compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True)
        modules.append((f"{packages[-1]}.{name}", code))
    return tuple(modules)


def _environment(directory: str) -> dict[str, str]:
    """Nothing of ours, and the same hash seed in every run: a verdict must not depend on it."""
    return {
        "HOME": directory,
        "TMPDIR": directory,
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _reap(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Kill the whole group while its leader's id is still ours, then collect the leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _exited(pid: int) -> bool:
    """Whether the process has ended; it stays a zombie, so that its id is not used again."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int | None]:
    try:
        pidfd = os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or a kernel or container without it
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)


@contextlib.contextmanager
def _pipe() -> Iterator[list[int]]:
    """Both ends of a pipe; those still in the list are closed on the way out."""
    ends = list(os.pipe())
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@contextlib.contextmanager
def _workspace() -> Iterator[str]:
    """Make a private directory; it is gone afterwards whatever the program did to it."""
    directory = tempfile.mkdtemp(prefix="anchorgate-")
    try:
        yield directory
    finally:
        _remove(directory)


def _remove(directory: str) -> None:
    for _ in range(50):  # a killed grandchild may still be writing for a moment
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            return
        except OSError:
            _make_removable(directory)
            time.sleep(0.02)
        else:
            return
    shutil.rmtree(directory)


def _make_removable(directory: str) -> None:
    for path, _, _ in os.walk(directory):
        with contextlib.suppress(OSError):
            Path(path).chmod(0o700)


@functools.cache
def numpy_path() -> str:
    """Return the directory that numpy lies in, or nothing where it is not installed."""
    spec = importlib.util.find_spec("numpy")
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else ""
