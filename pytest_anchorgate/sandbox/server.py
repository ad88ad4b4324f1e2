"""One half of a zygote: forks judges, or candidates, and sees to their end."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.py would make an enum in every fork
import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time

from pytest_anchorgate.sandbox import candidate, isolation, judge, linux, orders
from pytest_anchorgate.sandbox.descendants import descendants

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

POLL_S = 0.002
# After so many the interpreter has specialized the code of a check: what it writes into it then,
# it writes once, here, and not into a copy in every fork.
REHEARSALS = 12


class Server:
    """Forks one process ahead of each order, watches it, and buries it with all that it started.

    The process is forked, warm and waiting when the order comes, takes it from the control socket
    itself, and says on a pipe that it has begun: from then on the server watches it.
    """

    def __init__(self, tier: isolation.Tier, control: socket.socket, *, is_judge: bool) -> None:
        self.tier, self.control, self.is_judge = tier, control, is_judge
        self.side = judge if is_judge else candidate

    def serve(self) -> NoReturn:
        """Serve orders until nobody is there to give any."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a handler would let its namespace kill it
        if not self.is_judge:
            candidate.prepare_interpreter()
        for _ in range(REHEARSALS):
            _rehearse(self.side)
        gc.collect()
        gc.freeze()  # a collection in a fork would otherwise copy every page of this
        orders.send_answer(self.control, {"ready": True})
        while (answer := self._served()) is not None:
            orders.send_answer(self.control, answer)
        self._leave()

    def _leave(self) -> NoReturn:
        """End: nobody gives orders any more."""
        if not self.is_judge:
            self.tier.leave()
        os._exit(0)

    def _served(self) -> dict[str, Any] | None:
        """Serve one order; None when there are no more."""
        if not self.is_judge:
            self.tier.begin()
        notes, write_note = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(notes)
            self._become(write_note)
        os.close(write_note)
        verb, _, told = os.read(notes, 4096).decode().partition(" ")
        os.close(notes)
        if not verb:
            return None
        answer = self._seen_through(pid, told) if verb == "began" else self._refused(pid, told)
        if not self.is_judge:
            self.tier.end()
        return answer

    def _seen_through(self, pid: int, told: str) -> dict[str, Any]:
        """Watch a process to its end, bury it, and return how it ended."""
        cpu_s, used_s, needs_numpy = map(float, told.split())
        why = self._watch(pid, cpu_s + used_s)
        code, spent_s = self._bury(pid)
        if needs_numpy and "numpy" not in sys.modules:
            with contextlib.suppress(Exception):  # the program has met the same
                importlib.import_module("numpy")
        return {"why": why, "code": code, "cpu_s": max(spent_s - used_s, 0.0), "fault": ""}

    def _refused(self, pid: int, fault: str) -> dict[str, Any]:
        """Bury a process that could not be confined, and return why."""
        code, cpu_s = self._bury(pid)
        return {"why": "refused", "code": code, "cpu_s": cpu_s, "fault": fault}

    def _become(self, notes: int) -> NoReturn:
        """Wait for an order and be its judge or its candidate."""
        if sys.platform == "linux" and not self.tier.namespaced:
            linux.die_with_parent()  # before it is confined too: it might take an order unwatched
        _signal.signal(signal.SIGINT, signal.default_int_handler)
        if not select.select([self.control], [], [], 0)[0]:  # else there is no time to idle
            _rehearse(self.side)  # memory shared with the server is copied now, not then
        while True:
            received = orders.receive_order(self.control)
            if received is None:
                os._exit(0)
            order, fds = received
            if "stop" not in order:  # else: its process had ended by itself in the meantime
                break
        try:
            self._prepare(order, fds, notes)
        except BaseException as error:
            os.write(notes, f"refused {type(error).__name__}: {error}".encode())
            os._exit(1)
        os.write(notes, f"began {order['cpu_s']} {time.process_time()} {order['numpy']:d}".encode())
        os.close(notes)
        try:
            self.side.main(order, fds)
        finally:
            os._exit(0)

    def _prepare(self, order: dict[str, Any], fds: list[int], notes: int) -> None:
        """Keep no descriptor that the order did not bring, limit ourselves, give up privileges."""
        self.control.detach()
        os.dup2(fds[-1], 1)
        os.dup2(fds[-1], 2)
        if not self.tier.namespaced:
            os.setsid()
        isolation.limit(order, own_user=self.tier.own_user)
        self.tier.confine()
        last = 2
        for fd in sorted((*fds, notes)):
            os.closerange(last + 1, fd)
            last = fd
        os.closerange(last + 1, isolation.OPEN_FILES)

    def _watch(self, pid: int, cpu_s: float) -> str:
        """Return why a process need not be watched further; it may still be running."""
        pidfd = _pidfd(pid)
        watched = [self.control.fileno(), *pidfd]
        try:
            while True:
                left = cpu_s - _cpu_time(pid)
                if left <= 0:
                    return "cpu"
                ready, _, _ = select.select(watched, [], [], max(left if pidfd else 0.0, POLL_S))
                if watched[0] in ready:
                    return self._stopped(pid)
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    return "exited"
        finally:
            for fd in pidfd:
                os.close(fd)

    def _stopped(self, pid: int) -> str:
        if orders.receive_order(self.control) is None:
            self._bury(pid)
            self._leave()
        return "stopped"

    def _bury(self, pid: int) -> tuple[int, float]:
        """Kill what is left, collect all of it, and return the process's end and all CPU time."""
        code, cpu_s, group = 0, 0.0, pid
        while True:
            self._kill_all(group)
            group = 0  # its number may soon be another's
            try:
                while True:
                    found, status, usage = os.wait4(-1, 0)
                    cpu_s += usage.ru_utime + usage.ru_stime
                    if found == pid:
                        code = os.waitstatus_to_exitcode(status)
                    if not self.tier.namespaced:
                        break  # what it left behind is our child now, and may be alive
            except ChildProcessError:
                return code, cpu_s

    def _kill_all(self, group: int) -> None:
        if self.tier.namespaced:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # everything in the namespace but its first process
            return
        if group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for descendant in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(descendant, number)


def _rehearse(side: ModuleType) -> None:
    """Do what a check will do: take an order, hold a conversation."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        orders.send_order(ours, {"cpu_s": 1.0, "codes": b""}, [0])
        received = orders.receive_order(theirs)
        if received is not None:
            os.close(received[1][0])
    side.rehearse()


def _cpu_time(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | 2)  # see clock_getcpuclockid(3)
    except OSError:  # just gone, or a system without such clocks: RLIMIT_CPU and the end decide
        return 0.0


def _pidfd(pid: int) -> list[int]:
    """Return a descriptor that tells of a process's end, or nothing where there is none."""
    try:
        return [os.pidfd_open(pid)]
    except (AttributeError, OSError):  # not Linux, or a kernel or container without it
        return []
