"""The judged side: runs one program and answers calls to it. It learns no expected value.

Everything here shares its interpreter with a program that may do with it as it likes: what it
sends is a claim, and the judge treats it so.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import marshal
import socket
import sys
from types import ModuleType

from pytest_anchorgate.sandbox.channel import MOST_BYTES, Channel, Closed
from pytest_anchorgate.sandbox.codec.decode import decode_call
from pytest_anchorgate.sandbox.codec.encode import (
    NotPlain,
    built_in,
    encode_call,
    encode_reply,
    snapshot,
    take,
)
from pytest_anchorgate.sandbox.trial import (
    MODULE,
    PROGRAM,
    RECURSION_LIMIT,
    Broken,
    Trial,
    executed,
    lift_memory_limit,
    report,
)

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any

REHEARSED = "def f(x, y, z=0):\n    return [v for v in (x, y)]\n"
FRAME_HEAD = 64  # bytes that a frame's first line needs at most


def prepare_interpreter() -> None:
    """Make the interpreter look as a program expects it, before any is forked."""
    for name in [name for name in sys.modules if name.startswith("pytest_anchorgate")]:
        del sys.modules[name]
    sys.argv = [PROGRAM]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # -S left them out


def rehearse() -> None:
    """Hold a whole conversation, with nothing at stake and nobody at the other end."""
    ours, theirs = socket.socketpair()
    judge = Channel(ours.fileno())
    judge.send("names", b'["f"]')
    judge.send("call 1", encode_call("f", [1, "a", [1.5]], {})[0].encode())
    ours.shutdown(socket.SHUT_WR)
    with ours, theirs, contextlib.suppress(Closed):
        Candidate(Channel(theirs.fileno()), ModuleType(MODULE)).run(REHEARSED)


def main(order: dict[str, Any], fds: list[int]) -> None:
    """Run a program, then answer for it until nobody asks any more."""
    module = sys.modules[MODULE] = ModuleType(MODULE)
    module.__dict__["__builtins__"] = builtins
    with contextlib.suppress(Closed):
        Candidate(Channel(fds[0]), module).run(order["program"])
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except (OSError, ValueError, AttributeError):
            continue  # the program closed it


class Candidate:
    """One program and its end of the conversation."""

    def __init__(self, channel: Channel, module: ModuleType) -> None:
        self.channel = channel
        self.namespace = module.__dict__
        self.iterators: list[Iterator[Any]] = []
        self.tables: list[list[Any]] = []  # of the call that each came from

    def run(self, program: str) -> None:
        """Run to the end of the conversation; raises Closed there."""
        try:
            executed("raised", _compiled(program), self.namespace)
        except Broken as broken:
            return self.channel.send("broken", self._report(broken).encode())
        _, names = self.channel.receive()
        found = {name: self._kind(name) for name in json.loads(names) if name in self.namespace}
        self.channel.send("ready", json.dumps(found).encode())
        while True:
            head, content = self.channel.receive()
            verb, _, number = head.partition(" ")
            if verb == "tests":
                self.channel.send(f"verdict {number}", self._verdict(content))
            else:
                answer = self._more if verb == "next" else self._answer
                head, told = answer(number, content)
                self.channel.send(head, told.encode())

    def _kind(self, name: str) -> list[str]:
        """Return what a name of the program stands for."""
        value = self.namespace[name]
        if callable(value):
            return ["call"]
        if isinstance(value, ModuleType):
            return ["module", value.__name__]
        try:
            return ["value", encode_reply(value, [], [])]
        except Exception as error:
            return ["odd", _odd(value, error)]

    def _answer(self, number: str, content: bytes) -> tuple[str, str]:
        """Make a call and return the frame that tells how it went."""
        with _deeper():
            name, args, kwargs, table = decode_call(content)
        before = [snapshot(container) for container in table]
        try:
            result = self._called(name)(*args, **kwargs)
        except BaseException as error:
            return f"raised {number}", self._raised(error, table, before)
        try:
            return f"result {number}", self._reply(result, table, before)
        except MemoryError as error:
            return f"raised {number}", self._raised(error, table, before)
        except Exception as error:
            return f"odd {number}", json.dumps(_odd(result, error))

    def _reply(self, result: object, table: list[Any], before: list[Any]) -> str:
        with _deeper():
            text = _fitting(encode_reply(result, table, before, self.iterators))
        self.tables += [table] * (len(self.iterators) - len(self.tables))
        return text

    def _more(self, number: str, content: bytes) -> tuple[str, str]:
        """Take more items from an iterator that a call returned."""
        place, most = json.loads(content)
        table = self.tables[place]
        before = [snapshot(container) for container in table]
        taken = take(self.iterators[place], most)
        try:
            return f"result {number}", self._reply(list(taken), table, before)
        except Exception as error:
            return f"odd {number}", json.dumps(_odd(self.iterators[place], error))

    def _called(self, name: str) -> Any:
        if name not in self.namespace:  # any more
            raise NameError(f"name {name!r} is not defined")
        return self.namespace[name]

    def _raised(self, error: BaseException, table: list[Any], before: list[Any]) -> str:
        told = self._report(Broken("raised", error))
        name = built_in(type(error)).__name__
        try:
            return f"{told}\n{encode_reply([name, *error.args], table, before)}"
        except Exception:  # its arguments are not plain
            return f"{told}\n{encode_reply([name, _text(error)], [], [])}"

    def _verdict(self, codes: bytes) -> bytes:
        """Run setup and tests beside the program and return the report."""
        trial = Trial(marshal.loads(codes))
        try:
            trial.run(self.namespace)
        except Broken as broken:
            return self._report(broken, trial).encode()
        return b'{"kind": "passed"}'

    def _report(self, broken: Broken, trial: Trial | None = None) -> str:
        if isinstance(broken.error, MemoryError):
            lift_memory_limit()
        told = json.dumps(report(broken, trial))
        broken.error.__traceback__ = None
        return told


def _compiled(program: str) -> CodeType:
    try:
        code: CodeType = compile(program, PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise Broken("syntax", error) from None
    return code


@contextlib.contextmanager
def _deeper() -> Iterator[None]:
    """Have room for nested values, whatever room the program has given itself."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _fitting(text: str) -> str:
    if len(text) > MOST_BYTES - FRAME_HEAD:
        raise NotPlain(f"data of {len(text)} bytes")
    return text


def _odd(value: object, error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, NotPlain) else type(value).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
