"""The judging side: runs a task's tests, with the entry point in another process.

What a call returns is plain data from a program nobody vouches for. It never learns what the
tests expect, and nothing it sends is executed here.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import marshal
import os
import socket
import sys
from functools import partial

from pytest_anchorgate.sandbox.channel import Channel, Closed, Oversized
from pytest_anchorgate.sandbox.codec.decode import Malformed, decode_reply, ending, made_exception
from pytest_anchorgate.sandbox.codec.encode import NotPlain, encode_call, encode_reply
from pytest_anchorgate.sandbox.trial import (
    MODULE,
    MOST_FRAMES,
    RECURSION_LIMIT,
    Broken,
    Trial,
    executed,
    lift_memory_limit,
)
from pytest_anchorgate.sandbox.trial import report as broken_report
from pytest_anchorgate.sandbox.values import render_exception, shorten

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, NoReturn

# Modules that tests may find under a name which the program imported them by.
MODULES = frozenset({
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools",
    "heapq", "itertools", "json", "math", "numbers", "numpy", "operator", "random", "re",
    "statistics", "string", "sys", "typing",
})  # fmt: skip
REHEARSED = marshal.dumps([compile("assert f(1, [2], k='a') == [1]", "", "exec")])
_FAILURES = ("raised", "exit", "memory", "syntax")  # what a program may say of itself
_VERDICTS = (*_FAILURES, "passed", "assertion")  # and, with the nonce, of its tests
_TEXTS = ("where", "left", "operator", "right", "exception")
_NUMBERS = ("test", "line", "span", "program_line")


def main(order: dict[str, Any], fds: list[int]) -> None:
    """Judge one program and write the report, one line of JSON."""
    channel, report, _ = fds
    sys.setrecursionlimit(RECURSION_LIMIT)
    said = Judge(Channel(channel), order).report()
    os.close(channel)  # the candidate need not wait until this process is taken apart
    os.write(report, json.dumps(said).encode() + b"\n")
    sys.stdout.flush()  # what the tests print


def rehearse() -> None:
    """Hold a whole conversation, with nothing at stake and nobody at the other end."""
    ours, theirs = socket.socketpair()
    candidate = Channel(ours.fileno())
    candidate.send("ready", b'{"f": ["call"]}')
    candidate.send("result 1", encode_reply([1], [], []).encode())
    order = {
        "codes": REHEARSED,
        "prelude": marshal.dumps(None),
        "asked": ("f",),
        "entry_point": "f",
        "together": False,
    }
    with ours, theirs:
        json.dumps(Judge(Channel(theirs.fileno()), order).report())


class _Stop(BaseException):
    """Ends the tests at once, whatever they catch; the judge knows why."""


class Judge:
    """One task's tests on their way through a program's answers."""

    def __init__(self, channel: Channel, job: dict[str, Any]) -> None:
        self.channel, self.job = channel, job
        self.calls = 0
        self.stopped: dict[str, Any] | None = None
        self.remote: tuple[BaseException | None, dict[str, Any]] = (None, {})

    def report(self) -> dict[str, Any]:
        """Return how the tests ended."""
        trial = None
        try:
            if self.job["together"]:
                said = self._together()
            else:
                trial = Trial(marshal.loads(self.job["codes"]))
                said = self._apart(trial)
        except Broken as broken:
            said = broken_report(broken, trial)
            error, details = self.remote
            if broken.error is error:
                said |= details
        except _Stop:
            said = {}
        except MemoryError:  # reading what the candidate says
            lift_memory_limit()
            said = {"kind": "memory"}
        return self.stopped or said

    def _stop(self, kind: str, detail: str = "") -> NoReturn:
        self.stopped = {"kind": kind, "exception": shorten(detail)}
        raise _Stop

    def _apart(self, trial: Trial) -> dict[str, Any]:
        """Run the tests here and the program there."""
        namespace: dict[str, Any] = {"__name__": MODULE, "__builtins__": builtins}
        prelude = marshal.loads(self.job["prelude"])
        if prelude is not None:
            executed("prompt", prelude, namespace)
        found = self._ready()
        if found is None:
            return {"kind": "missing"}
        for name in self.job["asked"]:
            if name in found:
                namespace[name] = self._bound(name, found[name])
        trial.run(namespace)
        return {"kind": "passed"}

    def _together(self) -> dict[str, Any]:
        """Let the program's own process run the tests, which it gets once the program has run."""
        if self._ready() is None:
            return {"kind": "missing"}
        nonce = os.urandom(16).hex()
        self._send(f"tests {nonce}", self.job["codes"])
        head, content = self._receive()
        if head != f"verdict {nonce}":
            self._stop("protocol", f"it answered with {head!r}")
        return self._told(content, _VERDICTS)

    def _ready(self) -> dict[str, Any] | None:
        """Wait for the program to have run; return what it has of the names, as what.

        None when the entry point is not among them.
        """
        with contextlib.suppress(Closed):  # it may be gone, and have said why
            self.channel.send("names", json.dumps(self.job["asked"]).encode())
        head, content = self._receive()
        if head == "broken":
            self.stopped = self._told(content, _FAILURES)
            raise _Stop
        found = self._parsed(content) if head == "ready" else None
        if not isinstance(found, dict):
            self._stop("protocol", f"it began with {head!r}")
        return found if self.job["entry_point"] in {"", *found} else None

    def _bound(self, name: str, kind: Any) -> Any:
        """Return what a name of the program is here."""
        match kind:
            case ["call"]:
                return self._proxy(name)
            case ["value", str(text)]:
                return self._decoded(text.encode(errors="replace"), [])
            case ["module", str(module)]:
                if module not in MODULES:
                    self._stop("odd", f"the module {module}")
                return _imported(module)
            case ["odd", str(type_name)]:
                self._stop("odd", type_name)
        self._stop("protocol", f"it called {name!r} {kind!r}")

    def _proxy(self, name: str) -> Callable[..., Any]:
        def proxy(*args: object, **kwargs: object) -> Any:
            return self._call(name, args, kwargs)

        proxy.__name__ = proxy.__qualname__ = name
        return proxy

    def _call(self, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> Any:
        self.calls += 1
        try:
            text, table = encode_call(name, args, kwargs)
        except NotPlain as error:
            self._stop("cannot", error.args[0])
        self._send(f"call {self.calls}", text.encode())
        head, content = self._receive()
        if head == f"result {self.calls}":
            return self._decoded(content, table)
        if head == f"raised {self.calls}":
            self._raise(content, table)
        if head == f"odd {self.calls}":
            self._stop("odd", str(self._parsed(content)))
        self._stop("protocol", f"it answered call {self.calls} with {head!r}")

    def _fetched(
        self, table: list[Any], number: int, size: int
    ) -> tuple[list[Any], BaseException | None]:
        """Return more items of an iterator that the candidate kept, and what it raised."""
        self.calls += 1
        self._send(f"next {self.calls}", json.dumps([number, size]).encode())
        head, content = self._receive()
        if head == f"odd {self.calls}":
            self._stop("odd", str(self._parsed(content)))
        if head == f"result {self.calls}":
            match self._decoded(content, table):
                case [[*items], [*end]] if len(items) <= size and (end or len(items) == size):
                    return items, self._ending(end) if end else None
        self._stop("protocol", f"it answered for an iterator with {head!r}")

    def _ending(self, end: list[Any]) -> BaseException:
        try:
            return ending(end)
        except (ValueError, TypeError) as wrong:
            self._stop("protocol", f"its iterator raised {wrong}")

    def _raise(self, content: bytes, table: list[Any]) -> NoReturn:
        """Raise what the program raised."""
        details, _, reply = content.partition(b"\n")
        said = self._told(details, _FAILURES)
        args = self._decoded(reply, table)
        try:
            error = made_exception(str(args[0]), list(args[1:]))
        except (ValueError, TypeError, LookupError) as wrong:
            self._stop("protocol", f"it raised {wrong}")
        self.remote = (error, {key: said[key] for key in said if key != "kind"})
        raise error

    def _told(self, content: bytes, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return a report that the candidate made, of one of ``kinds``, with our keys alone."""
        said = self._parsed(content)
        if not isinstance(said, dict) or said.get("kind") not in kinds:
            self._stop("protocol", "its report is none")
        kept: dict[str, Any] = {"kind": said["kind"]}
        kept |= {key: shorten(said[key]) for key in _TEXTS if isinstance(said.get(key), str)}
        kept |= {key: said[key] for key in _NUMBERS if type(said.get(key)) is int}
        match said.get("frames"):
            case [*frames]:
                known = [f for f in frames if isinstance(f, list) and len(f) == 2]
                pairs = [[n, shorten(t)] for n, t in known if type(n) is int and type(t) is str]
                kept["frames"] = pairs[-MOST_FRAMES:]
        return kept

    def _parsed(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            self._stop("protocol", render_exception(error))

    def _decoded(self, text: bytes, table: list[Any]) -> Any:
        try:
            return decode_reply(text, table, partial(self._fetched, table))
        except Malformed as error:
            self._stop("protocol", str(error))

    def _send(self, head: str, content: bytes) -> None:
        try:
            self.channel.send(head, content)
        except Closed:
            self._stop("gone")

    def _receive(self) -> tuple[str, bytes]:
        try:
            return self.channel.receive()
        except Closed:
            self._stop("gone")
        except Oversized as error:
            self._stop("protocol", f"it announced {error.args[0]} bytes at once")


def _imported(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:  # numpy, of which the program says that it has it
        return None
