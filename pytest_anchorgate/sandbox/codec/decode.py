"""Text to values. Builds nothing but the types of DECODERS, whatever the text says.

Text from a hostile program is therefore harmless to read, short of its size: that, and what it
costs to read, are limited by who reads it.
"""

from __future__ import annotations

import builtins
import json
from collections import deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import chain

from pytest_anchorgate.sandbox.codec.encode import MAPPINGS, TYPES, built_in

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Malformed(Exception):
    """Text that `encode` did not write; the message says what is wrong with it."""


def decode_call(text: bytes) -> tuple[str, list[Any], dict[str, Any], list[Any]]:
    """Return name, arguments, keyword arguments and the containers of ``encode_call``'s text."""
    name, args, kwargs = json.loads(text)
    decoder = Decoder([])
    return name, decoder.value(args)[:], dict(decoder.value(kwargs)), decoder.table


def decode_reply(text: bytes, table: list[Any]) -> Any:
    """Return the result in ``text``, and give the containers of the call their new contents.

    :raises Malformed: when `encode_reply` did not write this.
    """
    try:
        node, changed = json.loads(text)
        decoder = Decoder(table)
        result = decoder.value(node)
        for index, body in changed:
            decoder.refill(table[index], body)
    except MemoryError:  # a limit of the reader's, who says so
        raise
    except Exception as error:  # of whatever kind: the text is a stranger's
        raise Malformed(f"{type(error).__name__}: {error}") from None
    return result


def made_exception(name: str, args: list[Any]) -> BaseException:
    """Return an exception of a built-in class, or of the nearest base that takes ``args``.

    :raises ValueError: when ``name`` is no built-in exception.
    """
    kind = vars(builtins).get(name)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise ValueError(f"{name!r} is no built-in exception")
    while True:
        try:
            return kind(*args)
        except (TypeError, ValueError):  # such as UnicodeDecodeError, which wants five
            kind = built_in(kind.__base__ or BaseException)


class Decoder:
    """Turns nodes into values; ``table`` grows by each container made."""

    def __init__(self, table: list[Any]) -> None:
        self.table = list(table)

    def value(self, node: Any) -> Any:
        """Return the value of a node."""
        if type(node) is not list:
            if type(node) is dict:
                raise ValueError("an object")
            return node
        tag, *parts = node
        return DECODERS[tag](self, parts)

    def items(self, parts: list[Any]) -> list[Any]:
        """Return the values of several nodes."""
        if not {list, dict} & set(map(type, parts)):
            return parts
        return [self.value(part) for part in parts]

    def kept(self, container: Any) -> Any:
        """Return the container, counted before its contents are."""
        self.table.append(container)
        return container

    def filled(self, container: Any, body: list[Any]) -> Any:
        """Give an empty container its contents and return it."""
        tag, *parts = body
        if isinstance(container, dict):
            items = self.items(parts[1:] if tag == "m" else parts)
            for key, value in zip(items[::2], items[1::2], strict=True):
                container[key] = value
        elif isinstance(container, bytearray):
            container[:] = bytes.fromhex(parts[0])
        elif isinstance(container, set):
            container.update(self.items(parts))
        else:
            container.extend(self.items(parts[1:] if tag == "q" else parts))
        return container

    def refill(self, container: Any, body: list[Any]) -> None:
        """Give a container of the call its new contents."""
        container.clear()
        self.filled(container, body)

    def named(self, parts: list[Any]) -> tuple[Any, ...]:
        """Return a named tuple of a class that nothing else has."""
        name, fields, *items = parts
        kind = namedtuple(name, fields)  # type: ignore[misc]  # names are data here
        made: tuple[Any, ...] = kind(*self.items(items))
        return made

    def iterator(self, parts: list[Any]) -> Iterator[Any]:
        """Return an iterator over what another gave, which ends or raises as that one did."""
        end, *items = parts
        values = self.items(items)
        if not end:
            return iter(values)
        name, text = end
        return chain(values, _raising(made_exception(name, [text])))


def _raising(error: BaseException) -> Iterator[Any]:
    raise error
    yield


def _container(kind: Callable[[], Any], tag: str) -> Callable[[Decoder, list[Any]], Any]:
    return lambda decoder, parts: decoder.filled(decoder.kept(kind()), [tag, *parts])


DECODERS: dict[str, Callable[[Decoder, list[Any]], Any]] = {
    "l": _container(list, "l"),
    "d": _container(dict, "d"),
    "s": _container(set, "s"),
    "a": _container(bytearray, "a"),
    "m": lambda decoder, parts: _container(MAPPINGS[parts[0]], "m")(decoder, parts),
    "q": lambda decoder, parts: _container(lambda: deque(maxlen=parts[0]), "q")(decoder, parts),
    "r": lambda decoder, parts: decoder.table[parts[0]],
    "t": lambda decoder, parts: tuple(decoder.items(parts)),
    "n": Decoder.named,
    "f": lambda decoder, parts: frozenset(decoder.items(parts)),
    "it": Decoder.iterator,
    "keys": lambda decoder, parts: dict.fromkeys(decoder.items(parts)).keys(),
    "values": lambda decoder, parts: dict(enumerate(decoder.items(parts))).values(),
    "items": lambda decoder, parts: dict(decoder.items(parts)).items(),
    "i": lambda _, parts: int(parts[0], 16),
    "u": lambda _, parts: bytes.fromhex(parts[0]).decode("utf-8", "surrogatepass"),
    "b": lambda _, parts: bytes.fromhex(parts[0]),
    "c": lambda _, parts: complex(*map(float, parts)),
    "D": lambda _, parts: Decimal(parts[0]),
    "F": lambda decoder, parts: Fraction(*decoder.items(parts)),
    "date": lambda _, parts: date.fromisoformat(parts[0]),
    "datetime": lambda _, parts: datetime.fromisoformat(parts[0]).replace(fold=parts[1]),
    "time": lambda _, parts: time.fromisoformat(parts[0]).replace(fold=parts[1]),
    "delta": lambda _, parts: timedelta(*parts),
    "zone": lambda decoder, parts: timezone(decoder.value(parts[0])),
    "range": lambda decoder, parts: range(*decoder.items(parts)),
    "slice": lambda decoder, parts: slice(*decoder.items(parts)),
    "type": lambda _, parts: TYPES[parts[0]],
    "...": lambda _, parts: ...,
}
