"""Values to text. Runs inside the sandboxed interpreters, beside programs nobody vouches for.

What a value's own class overrides is ignored where it matters: an ``int`` that calls itself
equal to everything arrives as the number it is.
"""

from __future__ import annotations

import builtins
import json
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from operator import is_

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

MOST_ITERATED = 10_000  # items that are taken from an iterator
MOST_NESTED = 200
NATIVE_INT = 1 << 63
MAPPINGS = {"Counter": Counter, "OrderedDict": OrderedDict}
TYPES = {
    name: value
    for name, value in [*vars(builtins).items(), ("NoneType", type(None))]
    if isinstance(value, type) and not issubclass(value, BaseException)
}
_NAMES = {value: name for name, value in TYPES.items()}
_SCALARS = {int, float, bool, str, type(None)}
_CONTAINERS = (list, dict, set, deque, bytearray)
_VIEWS = {
    type(view()): name
    for name in ("keys", "values", "items")
    for view in (getattr({}, name), getattr(OrderedDict(), name))
}
_dump = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class NotPlain(Exception):
    """A value that cannot cross; ``args[0]`` names its type."""


def encode_call(
    name: str, args: Sequence[object], kwargs: dict[str, object]
) -> tuple[str, list[Any]]:
    """Return the call's text, and the containers in it that the callee may change.

    :raises NotPlain: naming the type of an argument that cannot cross.
    """
    encoder = Encoder([])
    encoder.depth = -1  # the list and the dict of the arguments themselves do not count
    return encoder.text([name, encoder.node(list(args)), encoder.node(kwargs)]), encoder.table


def encode_reply(
    result: object,
    table: list[Any],
    before: list[tuple[Any, ...]],
    kept: list[Iterator[Any]] | None = None,
) -> str:
    """Return the text of a result and of every container in ``table`` that changed.

    ``before`` holds what `snapshot` said of each container when the call began. An iterator is
    put into ``kept`` and stands in the text by its place there; without ``kept`` it is run now.

    :raises NotPlain: naming the type of a value that cannot cross.
    """
    encoder = Encoder(table, kept)
    node = encoder.node(result)
    changed = []
    for index, (container, then) in enumerate(zip(table, before, strict=True)):
        now = snapshot(container)
        if len(now) != len(then) or not all(map(is_, now, then)):
            changed.append([index, encoder.body(container)])
    return encoder.text([node, changed])


def take(iterator: Iterator[Any], most: int) -> tuple[list[Any], list[str]]:
    """Return up to ``most`` items, and how the iterator ended: class and text, or not at all."""
    items: list[Any] = []
    try:
        for _ in range(most):
            items.append(next(iterator))
    except StopIteration:
        return items, ["StopIteration", ""]
    except Exception as error:
        return items, [built_in(type(error)).__name__, str(error)]
    return items, []


def snapshot(container: Any) -> tuple[Any, ...]:
    """Return what a container holds now, its items themselves uncopied."""
    if isinstance(container, dict):
        return tuple(_pairs(container))
    return tuple(container)


def _pairs(mapping: dict[Any, Any]) -> Iterator[Any]:
    kind = OrderedDict if isinstance(mapping, OrderedDict) else dict  # whose order is its own
    return chain.from_iterable(kind.items(mapping))


def built_in(kind: type[BaseException]) -> type[BaseException]:
    """Return the nearest ancestor of an exception class that Python itself defines."""
    named = vars(builtins)
    found: type[BaseException] = next(
        base for base in kind.__mro__ if named.get(base.__name__) is base
    )
    return found


class Encoder:
    """Turns values into JSON's nodes; ``table`` grows by each container met."""

    def __init__(self, table: list[Any], kept: list[Iterator[Any]] | None = None) -> None:
        self.table = list(table)
        self.kept = kept
        self.index = {id(container): k for k, container in enumerate(table)}
        self.depth = 0

    def text(self, node: object) -> str:
        """Return the node's text."""
        return _dump(node)

    def node(self, value: Any) -> Any:
        """Return the node of a value of any kind.

        :raises NotPlain: naming the type of a value that cannot cross.
        """
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -NATIVE_INT < value < NATIVE_INT else ["i", f"{value:x}"]
        if kind is str:
            return value if value.isascii() else _text(value)
        if self.depth == MOST_NESTED:
            raise NotPlain(f"{kind.__name__} nested more than {MOST_NESTED} deep")
        self.depth += 1
        if isinstance(value, _CONTAINERS):
            node = self._container(value)
        else:
            node = self._other(value, kind)
        self.depth -= 1
        return node

    def _container(self, value: Any) -> Any:
        known = self.index.get(id(value))
        if known is not None:
            return ["r", known]
        self.index[id(value)] = len(self.table)
        self.table.append(value)  # which also keeps the id from being used again
        return self.body(value)

    def body(self, value: Any) -> list[Any]:
        """Return the node of a container's contents."""
        if isinstance(value, list):
            return ["l", *self.items(list.__getitem__(value, slice(None)))]
        if isinstance(value, dict):
            if isinstance(value, defaultdict):
                return ["dd", _factory(value), *self.items(list(_pairs(value)))]
            pairs = self.items(list(_pairs(value)))
            name = next((name for name, kind in MAPPINGS.items() if isinstance(value, kind)), "")
            return ["m", name, *pairs] if name else ["d", *pairs]
        if isinstance(value, set):
            return ["s", *self.items(list(set.__iter__(value)))]
        if isinstance(value, deque):
            return ["q", value.maxlen, *self.items(list(deque.__iter__(value)))]
        return ["a", bytearray.hex(value)]

    def items(self, items: list[Any]) -> list[Any]:
        """Return the nodes of several values."""
        return items if _all_native(items) else [self.node(item) for item in items]

    def _other(self, value: Any, kind: type) -> Any:
        if isinstance(value, tuple):
            items = self.items(list(tuple.__iter__(value)))
            fields = getattr(kind, "_fields", None)
            return ["n", kind.__name__, list(fields), *items] if fields else ["t", *items]
        writer = next((write for base, write in _WRITERS.items() if isinstance(value, base)), None)
        if writer is not None:
            return writer(self, value)
        if kind in _VIEWS:
            return [_VIEWS[kind], *self.items(list(value))]
        if isinstance(value, type) and value in _NAMES:
            return ["type", _NAMES[value]]
        if hasattr(kind, "__next__"):
            return self._iterator(value)
        return self._numpy_scalar(value, kind)

    def _iterator(self, value: Iterator[Any]) -> list[Any]:
        if self.kept is not None:
            self.kept.append(value)
            return ["lazy", len(self.kept) - 1]
        items, end = take(value, MOST_ITERATED + 1)
        del items[MOST_ITERATED:]
        return ["it", end, *self.items(items)]

    def _numpy_scalar(self, value: Any, kind: type) -> Any:
        if kind.__module__ == "numpy" and any(base.__name__ == "generic" for base in kind.__mro__):
            item = value.item()
            if type(item) is not kind:
                return self.node(item)
        raise NotPlain(kind.__name__)

    def fields(self, value: Any, *names: str) -> list[Any]:
        """Return the nodes of a value's attributes."""
        return [self.node(getattr(value, name)) for name in names]


_WRITERS: dict[type, Callable[[Encoder, Any], Any]] = {
    # subclasses of scalars: what they hold, whatever they override
    int: lambda encoder, value: encoder.node(int.__pos__(value)),
    float: lambda encoder, value: encoder.node(float.__pos__(value)),
    str: lambda encoder, value: encoder.node(str.__getitem__(value, slice(None))),
    bytes: lambda _, value: ["b", bytes.hex(value)],
    complex: lambda _, value: ["c", complex.__pos__(value).real, complex.__pos__(value).imag],
    frozenset: lambda encoder, value: ["f", *encoder.items(list(frozenset.__iter__(value)))],
    Decimal: lambda _, value: ["D", Decimal.__str__(value)],
    Fraction: lambda encoder, value: ["F", *encoder.fields(value, "numerator", "denominator")],
    datetime: lambda _, value: ["datetime", datetime.isoformat(value), value.fold],
    date: lambda _, value: ["date", date.isoformat(value)],
    time: lambda _, value: ["time", time.isoformat(value), value.fold],
    timedelta: lambda _, value: ["delta", value.days, value.seconds, value.microseconds],
    timezone: lambda encoder, value: ["zone", encoder.node(value.utcoffset(None))],
    range: lambda encoder, value: ["range", *encoder.fields(value, "start", "stop", "step")],
    slice: lambda encoder, value: ["slice", *encoder.fields(value, "start", "stop", "step")],
    type(...): lambda _, value: ["..."],
}


def _factory(value: defaultdict[Any, Any]) -> str | None:
    """Return the name of what makes a missing value, where that is a built-in type."""
    return next((name for kind, name in _NAMES.items() if kind is value.default_factory), None)


def _text(value: str) -> str | list[str]:
    try:
        value.encode()
    except UnicodeEncodeError:  # lone surrogates, of which JSON would make pairs
        return ["u", value.encode("utf-8", "surrogatepass").hex()]
    return value


def _all_native(items: list[Any]) -> bool:
    """Whether all items stand for themselves, asked at C's speed: lists may be long."""
    kinds = set(map(type, items))
    if not kinds <= _SCALARS:
        return False
    if str in kinds and not "".join(item for item in items if type(item) is str).isascii():
        return False
    if int in kinds:
        numbers = [item for item in items if type(item) is int]
        return min(numbers) > -NATIVE_INT and max(numbers) < NATIVE_INT
    return True
