"""A program and its tests in, an outcome out: the one door of the sandbox.

Knows nothing of tasks, suites and models.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.sandbox import orders
from pytest_anchorgate.sandbox.outcome import Kind, Outcome
from pytest_anchorgate.sandbox.prepare import prepare
from pytest_anchorgate.sandbox.process import Zygote, ZygoteDied
from pytest_anchorgate.sandbox.reading import End, Ends, Job, one_line, read
from pytest_anchorgate.sandbox.tiers import settle_tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.sandbox.limits import Limits

TAIL_BYTES = 4096
REPORT_BYTES = 1 << 20
GRACE_S = 0.05  # what a candidate gets to end by itself once its judge is done
LOST_S = 10.0  # over the wall-clock guard: the zygote itself must have been lost


class Sandbox:
    """Runs programs one at a time, in a zygote that starts with the first; not thread-safe."""

    def __init__(self, tier: str = "auto") -> None:
        self._tier = tier
        self._zygote: Zygote | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote; safe to call twice."""
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()

    @property
    def tier(self) -> str:
        """The isolation that programs run under.

        :raises SandboxError: when what was asked for cannot be had here.
        """
        if self._tier == "auto":
            self._tier = settle_tier("auto")
        return self._tier

    def _started(self) -> Zygote:
        if self._zygote is None:
            self._zygote = Zygote(self.tier)
        return self._zygote

    def run(
        self,
        program: str,
        tests: Sequence[str],
        *,
        prompt: str = "",
        setup: str = "",
        entry_point: str = "",
        together: bool = False,
        limits: Limits,
    ) -> Outcome:
        """Run ``program`` in one process and ``setup`` and ``tests`` in another.

        What ``prompt`` defines beside the entry point, the tests find as the prompt has it.
        ``together``: the tests run beside the program, where a hostile one could fool them.
        Never raises for what the program does, nor for what our machinery fails to do: that is
        an outcome of kind ERROR.
        """
        try:
            prepared = prepare(tuple(tests), setup, prompt, entry_point)
            return self._run(Job(program, prepared, entry_point, together, limits))
        except SandboxError as error:
            return Outcome(kind=Kind.ERROR, reason=one_line(str(error)))
        except OSError as error:
            return Outcome(kind=Kind.ERROR, reason=one_line(f"sandbox: {error}"))

    def _run(self, job: Job) -> Outcome:
        for attempt in (1, 2):
            try:
                return read(_Check(self._started(), job).run(), job)
            except ZygoteDied as died:
                self.close()
                if attempt == 2:
                    raise SandboxError(f"sandbox: {died}, twice.") from None
            except BaseException:  # Ctrl-C in the middle: nothing of the check may stay
                self.close()
                raise
        raise AssertionError


@dataclass(slots=True)
class _Stream:
    """What has been read from one pipe: the first or the last ``keep`` bytes, and how many."""

    fd: int
    keep: int
    last: bool
    kept: bytes = b""
    total: int = 0

    def read(self) -> bool:
        """Read what is there; return whether there may come more."""
        piece = os.read(self.fd, 1 << 16)
        self.total += len(piece)
        joined = self.kept + piece
        self.kept = joined[-self.keep :] if self.last else joined[: self.keep]
        return bool(piece)


@dataclass(slots=True)
class _Check:
    """One judge and one candidate, from their orders to their ends."""

    zygote: Zygote
    job: Job
    ends: dict[str, End] = field(default_factory=dict)
    flood: bool = False
    wall: bool = False
    stopped: bool = False

    def run(self) -> Ends:
        """Return all that is known of the check once both processes are gone."""
        began = time.monotonic()
        with _pipe() as report, _pipe() as output:
            self._order(report[1], output[1])
            os.close(report.pop())
            os.close(output.pop())
            said = _Stream(report[0], REPORT_BYTES, last=False)
            printed = _Stream(output[0], TAIL_BYTES, last=True)
            self._watch({said.fd: said, printed.fd: printed}, printed)
            return Ends(
                judge=self.ends["judge"],
                candidate=self.ends["candidate"],
                report=said.kept,
                output=printed.kept,
                flood=self.flood,
                wall=self.wall,
                wall_s=time.monotonic() - began,
            )

    def _order(self, report: int, output: int) -> None:
        """Hand out the ends of the pipes and of a channel between judge and candidate."""
        job, prepared = self.job, self.job.prepared
        common = {
            "cpu_s": job.limits.cpu_s,
            "memory_bytes": job.limits.memory_bytes,
            "file_bytes": job.limits.file_bytes,
            "processes": job.limits.processes,
        }
        program = common | {"program": job.program, "numpy": "numpy" in job.program}
        tests = common | {
            "codes": prepared.codes,
            "prelude": prepared.prelude,
            "asked": prepared.asked,
            "entry_point": job.entry_point,
            "together": job.together,
            "numpy": prepared.numpy,
        }
        own, other = socket.socketpair()
        with own, other:
            self._send(self.zygote.candidates, program, [other.fileno(), output])
            self._send(self.zygote.judges, tests, [own.fileno(), report, output])

    def _send(self, control: socket.socket, order: dict[str, Any], fds: Sequence[int]) -> None:
        try:
            orders.send_order(control, order, fds)
        except OSError as error:
            raise ZygoteDied(f"the zygote is gone ({error.strerror})") from None

    def _watch(self, streams: dict[int, _Stream], output: _Stream) -> None:
        """Read what judge and candidate write until both are buried."""
        controls = {
            self.zygote.judges.fileno(): "judge",
            self.zygote.candidates.fileno(): "candidate",
        }
        poll = select.poll()
        for fd in (*streams, *controls):
            poll.register(fd, select.POLLIN)
        open_streams = set(streams)
        deadline = time.monotonic() + self.job.limits.wall_s
        while open_streams or len(self.ends) < len(controls):
            ready = poll.poll(1000 * max(deadline - time.monotonic(), 0))
            for fd in (fd for fd, _ in ready):
                if fd in controls:
                    self._note_end(controls[fd])
                elif not streams[fd].read():
                    poll.unregister(fd)
                    open_streams.discard(fd)
            if not ready:
                self.wall = "judge" not in self.ends
                deadline = self._stop()
            elif output.total > self.job.limits.output_bytes and not self.stopped:
                self.flood = True
                deadline = self._stop()
            elif "judge" in self.ends and not self.stopped:
                deadline = min(deadline, time.monotonic() + GRACE_S)

    def _note_end(self, role: str) -> None:
        control = self.zygote.judges if role == "judge" else self.zygote.candidates
        received = orders.receive_answer(control)
        if received is None:
            raise ZygoteDied("the zygote died")
        self.ends[role] = End(**received)

    def _stop(self) -> float:
        """Have both ended, and return until when that must have happened."""
        if self.stopped:
            raise ZygoteDied("the zygote does not answer")
        self.stopped = True
        for control in (self.zygote.judges, self.zygote.candidates):
            self._send(control, {"stop": True}, [])
        return time.monotonic() + LOST_S


@contextlib.contextmanager
def _pipe() -> Iterator[list[int]]:
    """Both ends of a pipe; those still in the list are closed on the way out."""
    ends = list(os.pipe())
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)
