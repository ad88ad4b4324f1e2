"""Text to values. Builds nothing but the types of DECODERS, whatever the text says.

Text from a hostile program is therefore harmless to read, short of its size: that, and what it
costs to read, are limited by who reads it.
"""

from __future__ import annotations

import builtins
import json
from collections import defaultdict, deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from operator import index

from pytest_anchorgate.sandbox.codec.encode import MAPPINGS, MOST_ITERATED, TYPES

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Fetch = Callable[[int, int], tuple[list[Any], BaseException | None]]


class Malformed(Exception):
    """Text that `encode` did not write; the message says what is wrong with it."""


def decode_call(text: bytes) -> tuple[str, list[Any], dict[str, Any], list[Any]]:
    """Return name, arguments, keyword arguments and the containers of ``encode_call``'s text."""
    name, args, kwargs = json.loads(text)
    decoder = Decoder([])
    return name, decoder.value(args)[:], dict(decoder.value(kwargs)), decoder.table


def decode_reply(text: bytes, table: list[Any], fetch: Fetch | None = None) -> Any:
    """Return the result in ``text``, and give the containers of the call their new contents.

    ``fetch`` asks the other side for items of an iterator that it kept: its number and how many
    items are wanted in; items, and what it raised if it ended, out.

    :raises Malformed: when `encode_reply` did not write this.
    """
    try:
        node, changed = json.loads(text)
        decoder = Decoder(table, fetch)
        result = decoder.value(node)
        for place, body in changed:
            decoder.refill(table[place], body)
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
    for base in kind.__mro__:
        try:
            return base(*args)  # type: ignore[no-any-return]  # object is the last of these
        except (TypeError, ValueError):  # such as UnicodeDecodeError, which wants five
            continue
    raise AssertionError("BaseException takes anything")


class Decoder:
    """Turns nodes into values; ``table`` grows by each container made."""

    def __init__(self, table: list[Any], fetch: Fetch | None = None) -> None:
        self.table = list(table)
        self.fetch = fetch

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
            items = self.items(parts[1:] if tag in ("m", "dd") else parts)
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
        kind = namedtuple(name, fields, rename=True)  # type: ignore[misc]  # names are data here
        made: tuple[Any, ...] = kind(*self.items(items))
        return made

    def iterator(self, parts: list[Any]) -> Iterator[Any]:
        """Return an iterator over what another gave, which ends or raises as that one did."""
        end, *items = parts
        return chain(self.items(items), _ending(ending(end)))

    def lazy(self, parts: list[Any]) -> Iterator[Any]:
        """Return an iterator over what the other side goes on giving, ever more at a time."""
        (number,) = parts
        if self.fetch is None or type(number) is not int:
            raise ValueError("an iterator where there can be none")
        return _fetched(self.fetch, number)


def ending(end: list[str]) -> BaseException:
    """Return what an iterator raised in the end, or what it raises here after MOST_ITERATED."""
    name, text = end or ["BufferError", f"more than {MOST_ITERATED} items were iterated"]
    return made_exception(name, [text])


def _ending(error: BaseException) -> Iterator[Any]:
    """Yield nothing and end so."""
    if not isinstance(error, StopIteration):
        raise error
    yield from ()


def _fetched(fetch: Fetch, number: int) -> Iterator[Any]:
    taken, size, end = 0, 1, None
    while end is None and taken <= MOST_ITERATED:  # one more tells whether it goes on
        items, end = fetch(number, min(size, MOST_ITERATED + 1 - taken))
        yield from items[: MOST_ITERATED - taken]
        taken += size
        size *= 2
    yield from _ending(end or ending([]))


def _container(kind: Callable[[], Any], tag: str) -> Callable[[Decoder, list[Any]], Any]:
    return lambda decoder, parts: decoder.filled(decoder.kept(kind()), [tag, *parts])


DECODERS: dict[str, Callable[[Decoder, list[Any]], Any]] = {
    "l": _container(list, "l"),
    "d": _container(dict, "d"),
    "s": _container(set, "s"),
    "a": _container(bytearray, "a"),
    "m": lambda decoder, parts: _container(MAPPINGS[parts[0]], "m")(decoder, parts),
    "dd": lambda decoder, parts: _container(
        lambda: defaultdict(None if parts[0] is None else TYPES[parts[0]]), "dd"
    )(decoder, parts),
    "q": lambda decoder, parts: _container(lambda: deque(maxlen=parts[0]), "q")(decoder, parts),
    "r": lambda decoder, parts: decoder.table[parts[0]],
    "t": lambda decoder, parts: tuple(decoder.items(parts)),
    "n": Decoder.named,
    "f": lambda decoder, parts: frozenset(decoder.items(parts)),
    "it": Decoder.iterator,
    "lazy": Decoder.lazy,
    "keys": lambda decoder, parts: dict.fromkeys(decoder.items(parts)).keys(),
    "values": lambda decoder, parts: dict(enumerate(decoder.items(parts))).values(),
    "items": lambda decoder, parts: dict(decoder.items(parts)).items(),
    "i": lambda _, parts: int(parts[0], 16),
    "u": lambda _, parts: bytes.fromhex(parts[0]).decode("utf-8", "surrogatepass"),
    "b": lambda _, parts: bytes.fromhex(parts[0]),
    "c": lambda _, parts: complex(*map(float, parts)),
    "D": lambda _, parts: Decimal(parts[0]),
    "F": lambda decoder, parts: Fraction(*map(index, decoder.items(parts))),
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
