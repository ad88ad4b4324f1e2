"""The zygote as its user sees it: started, given orders, ended for certain.

Knows nothing of programs, tests and verdicts.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import marshal
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.sandbox import orders
from pytest_anchorgate.sandbox.emptying import empty

if TYPE_CHECKING:
    from types import CodeType

# A virtual environment's own interpreter would lead to its packages.
BASE_EXECUTABLE: str = getattr(sys, "_base_executable", sys.executable)
# The zygote's modules come compiled with its configuration: nothing of ours is on its path.
BOOT = """
def boot():
    import marshal, sys
    modules, config = marshal.load(sys.stdin.buffer)
    for name, code in modules:
        module = sys.modules[name] = type(sys)(name)
        module.__path__ = []
        exec(code, module.__dict__)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    del globals()["boot"]
    sys.modules["pytest_anchorgate.sandbox.zygote"].main(config, [int(fd) for fd in sys.argv[1:]])
boot()
"""
PACKAGE = "pytest_anchorgate.sandbox"
MODULES = (  # each after those that it imports
    "values", "emptying", "orders", "channel", "codec.encode", "codec.decode", "trial", "linux",
    "seccomp", "landlock", "root", "isolation", "judge", "candidate",
    "descendants", "server", "zygote",
)  # fmt: skip
START_S = 60.0
NOBODY = 65534


class ZygoteDied(Exception):
    """The zygote went away, or does not answer; what it was doing is lost."""


class Refused(SandboxError):
    """A tier of isolation cannot be had on this machine; the message says why."""


class Zygote:
    """A running zygote with its two servers, one check at a time."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self._directory: Path | None = None  # namespaces have one that nobody else sees
        if tier != "namespaces":
            self._directory = Path(tempfile.mkdtemp(prefix="anchorgate-"))
            self._directory.chmod(0o711)
        self.judges, judges = socket.socketpair()
        self.candidates, candidates = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        try:
            with judges, candidates:
                self._process = self._start(judges.fileno(), candidates.fileno())
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _start(self, *fds: int) -> subprocess.Popen[bytes]:
        readable = readable_paths()
        covered = any(path.startswith("/tmp/") for path in readable)
        inside = "/work" if covered else "/tmp"
        config: dict[str, Any] = {
            "tier": self.tier,
            "directory": str(self._directory),
            "home": inside if self.tier == "namespaces" else f"{self._directory}/work",
            "numpy_path": numpy_path(),
            "readable": readable,
            "hidden": hidden_paths(),
        }
        with tempfile.TemporaryFile() as stdin:
            marshal.dump((_modules(), config), stdin)
            stdin.seek(0)
            return subprocess.Popen(
                [BASE_EXECUTABLE, "-P", "-s", "-S", "-B", "-c", BOOT, *map(str, fds)],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd="/",
                env=_environment(config["home"]),
                pass_fds=fds,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        for control in (self.candidates, self.judges):
            control.settimeout(START_S)
            answer = self._answer(control)
            if "map" in answer:
                orders.send_order(control, self._map_ids())
                answer = self._answer(control)
            if "ready" not in answer:
                raise Refused(refusal(self.tier, answer["refused"]))

    def _answer(self, control: socket.socket) -> dict[str, Any]:
        try:
            answer = orders.receive_answer(control)
        except (TimeoutError, ValueError):
            answer = None
        if answer is None:
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise SandboxError(f"sandbox: the zygote did not start: {last or 'no output'}.")
        return answer

    def _map_ids(self) -> dict[str, Any]:
        """Map the ids of the zygote's new user namespace; only the candidate's, when not root."""
        own = Path(f"/proc/{self._process.pid}")
        try:
            if os.geteuid() == 0:
                uids = gids = f"0 0 1\n{NOBODY} {NOBODY} 1\n"
            else:
                (own / "setgroups").write_text("deny")
                uids, gids = f"{NOBODY} {os.geteuid()} 1\n", f"{NOBODY} {os.getegid()} 1\n"
            (own / "uid_map").write_text(uids)
            (own / "gid_map").write_text(gids)
        except OSError as error:
            return {"why": f"uid_map: {error.strerror}"}
        return {"mapped": True}

    def stop(self) -> None:
        """End the zygote and all that it forked; safe to call twice."""
        for control in (self.judges, self.candidates):
            control.close()
        process = self.__dict__.get("_process")
        if process is not None:
            try:
                process.wait(timeout=1.0)  # its servers end when their sockets close
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            _wait_for_group(process.pid)
        self._errors.close()
        if self._directory is not None:  # where its server could not remove it
            with contextlib.suppress(OSError):
                empty(str(self._directory))
                self._directory.rmdir()


def _wait_for_group(group: int) -> None:
    """Wait a moment for what was killed with its leader: it might still make a file."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.01)


def refusal(tier: str, why: str) -> str:
    """Return what keeps a tier from starting, and what would change that."""
    cure = {
        "namespaces": "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone"
        "=1, user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0; in "
        "a container: --security-opt seccomp=unconfined), or choose --gate-sandbox=landlock.",
        "landlock": "Boot a kernel (5.13 or newer) with landlock in its lsm= list, or choose "
        "--gate-sandbox=rlimits, which walls nothing off.",
        "rlimits": "Nothing is left to choose.",
    }[tier]
    return f"sandbox: {tier} cannot be had here: {why}. {cure}"


@functools.cache
def _modules() -> tuple[tuple[str, CodeType], ...]:
    """Return the modules that run in the zygote, each after those that it imports."""
    packages = ("pytest_anchorgate", PACKAGE, f"{PACKAGE}.codec")
    modules = [(name, compile("", name, "exec")) for name in packages]
    for name in MODULES:
        path = Path(__file__).parent / f"{name.replace('.', '/')}.py"
        code = compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True)
        modules.append((f"{PACKAGE}.{name}", code))
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


@functools.cache
def numpy_path() -> str:
    """Return the directory that numpy lies in, or nothing where it is not installed."""
    spec = importlib.util.find_spec("numpy")
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else ""


def readable_paths() -> list[str]:
    """Return the directories of the interpreter and of numpy, wherever they lie."""
    found = {sys.base_prefix, sys.base_exec_prefix, str(Path(BASE_EXECUTABLE).resolve().parent)}
    if numpy_path():
        found |= {f"{numpy_path()}/{name}" for name in ("numpy", "numpy.libs")}
    return sorted({str(Path(path).resolve()) for path in found} | found)


def hidden_paths() -> list[str]:
    """Return what no program may see even where it lies inside of something readable."""
    return [str(Path.cwd()), str(Path.home())]
