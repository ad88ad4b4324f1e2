"""What lies around the sandbox and must not notice it: files, listeners, a neighbour."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from pytest_anchorgate.sandbox.process import numpy_path

NOBODY = 65534
PLANTED = "planted"  # is part of every name that a hostile program makes outside
PROJECT = Path(__file__).parents[2]
# A process of the same user as the programs, as little protected as the kernel lets it be.
VICTIM = f"""
import ctypes, os, sys
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
libc = ctypes.CDLL(None)
libc.prctl(4, 1)  # PR_SET_DUMPABLE
libc.prctl(0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER_ANY
secret = ctypes.create_string_buffer(sys.argv[1].encode())
print(ctypes.addressof(secret), flush=True)
sys.stdin.read()
"""
STDLIB = Path(sysconfig.get_path("stdlib"))


class World:
    """A secret in every place that a program might look in, and an alarm at every door."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="world-"))
        self.root.chmod(0o755)  # whoever may pass the walls may read: the walls are the test
        self.secret = secrets.token_hex(16)
        self.home = self.root / "home"
        self.home.mkdir()
        self.files = {
            "secret": self._write("secret", self.secret),
            "home_secret": self._write("home/.token", self.secret),
            "pack": self._write("production.planck", self.secret),
            "anchors": self._write("anchors.jsonl", self.secret),
            "owned": self._write("owned", self.secret),
        }
        if os.getuid() == 0:  # as a program's user would own it where nobody is root
            os.chown(self.files["owned"], NOBODY, NOBODY)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.stream = self._unix(socket.SOCK_STREAM, str(self.root / "stream"))
        self.datagram = self._unix(socket.SOCK_DGRAM, str(self.root / "datagram"))
        self.abstract = self._unix(socket.SOCK_DGRAM, f"\0{self.root.name}")
        self.listeners = (self.tcp, self.udp, self.stream, self.datagram, self.abstract)
        for listener in self.listeners:
            listener.setblocking(False)
        self.victim = subprocess.Popen(
            [sys.executable, "-S", "-c", VICTIM, self.secret],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )
        assert self.victim.stdout is not None
        self.address = int(self.victim.stdout.readline())
        self.watched = [
            Path(path)
            for path in (
                "/", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/usr", "/usr/lib", "/etc",
                STDLIB, STDLIB / "__pycache__", f"{numpy_path()}/numpy", PROJECT, PROJECT / "tests",
                self.root, self.home, Path.home(),
            )
            if str(path) and Path(path).is_dir()
        ]  # fmt: skip

    def _write(self, name: str, content: str) -> Path:
        path = self.root / name
        path.write_text(content)
        path.chmod(0o644)
        return path

    def _unix(self, kind: int, address: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, kind)
        made.bind(address)
        if not address.startswith("\0"):
            Path(address).chmod(0o666)
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def close(self) -> None:
        """Take all of it away."""
        for listener in self.listeners:
            listener.close()
        self.victim.kill()
        self.victim.communicate()
        shutil.rmtree(self.root)

    def told(self) -> dict[str, Any]:
        """Return what a test may hand to its program, by name."""
        ports = {"tcp": self.tcp.getsockname()[1], "udp": self.udp.getsockname()[1]}
        paths = {f"{name}_path": str(path) for name, path in self.files.items()}
        more = {
            "secret": self.secret,
            "root": str(self.root),
            "stream": str(self.root / "stream"),
            "datagram": str(self.root / "datagram"),
            "abstract": f"\0{self.root.name}",
            "victim": self.victim.pid,
            "address": self.address,
            "pytest": os.getpid(),
            "project": str(PROJECT),
            "stdlib": str(STDLIB),
            "numpy": f"{numpy_path()}/numpy",
        }
        return paths | ports | more

    def seen(self) -> dict[str, Any]:
        """Return all that must be the same before and after a program ran."""
        return {
            "files": {str(path): _looks(path) for path in sorted(self.root.rglob("*"))},
            "environment": hashlib.sha256(repr(sorted(os.environ.items())).encode()).hexdigest(),
            "ourselves": _traits(os.getpid()),
            "victim": _traits(self.victim.pid),
            "planted": sorted(self._planted()),
        }

    def descriptors(self) -> set[tuple[str, str]]:
        """Return what this process holds open, each with its number."""
        found = set()
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the one that this listing itself had
                found.add((link.name, str(link.readlink())))
        return found

    def _planted(self) -> list[str]:
        return [str(made) for path in self.watched for made in path.glob(f"*{PLANTED}*")]

    def strays(self) -> list[str]:
        """Return the processes that hostile programs have named and left."""
        return [name for name in _commands() if PLANTED in name]

    def callers(self) -> list[str]:
        """Return who came to the listeners since this was last asked."""
        came = []
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                if listener in (self.tcp, self.stream):
                    listener.accept()[0].close()
                else:
                    listener.recv(1)
                came.append(repr(listener.getsockname()))
        return came


def _looks(path: Path) -> tuple[Any, ...]:
    stat = path.lstat()
    content = path.read_bytes() if path.is_file() else b""
    return (
        content, stat.st_mode, stat.st_uid, stat.st_gid, stat.st_nlink, stat.st_mtime_ns,
        tuple(os.listxattr(path, follow_symlinks=False)),
    )  # fmt: skip


def _traits(pid: int) -> dict[str, Any]:
    """Return what another process could change about a process."""
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {
        "stopped": status[0] in "TtZX",
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "policy": os.sched_getscheduler(pid),
        "processors": os.sched_getaffinity(pid),
        "limits": Path(f"/proc/{pid}/limits").read_text(),
    }


def _commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            found.append(path.read_text())
    return found


def descendants(pid: int) -> int:
    """Return how many processes a process has started that are there, its children's included."""
    count = 0
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                count += 1 + descendants(child)
    return count
