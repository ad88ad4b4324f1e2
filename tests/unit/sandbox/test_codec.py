"""What crosses between judge and candidate: round trips, what is refused, what is malformed."""

from __future__ import annotations

import builtins
import copy
import enum
import io
import json
import random
import re
import string
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import chain, count, islice, repeat

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import judge
from pytest_anchorgate.sandbox.codec.decode import (
    DECODERS,
    Malformed,
    decode_call,
    decode_reply,
    ending,
    made_exception,
)
from pytest_anchorgate.sandbox.codec.encode import (
    MOST_ITERATED,
    MOST_NESTED,
    TYPES,
    NotPlain,
    encode_call,
    encode_reply,
    snapshot,
    take,
)

Point = namedtuple("Point", "x y")


def returned(value):
    """Return what a caller gets of a value that the program returns."""
    return decode_reply(encode_reply(value, [], []).encode(), [])


def received(value):
    """Return what a program gets of a value that a test hands over."""
    name, args, kwargs, _ = decode_call(encode_call("f", [value], {"k": value})[0].encode())
    assert name == "f"
    assert list(kwargs) == ["k"]
    return args[0]


def same(one, other):
    """Whether two values cannot be told apart, NaN and zeros with a sign included."""
    return seen(one) == seen(other)


def seen(value):
    """Return a text that tells all of a value; the order of a set is none."""
    if isinstance(value, set | frozenset):
        inside = sorted(map(seen, value))
    elif isinstance(value, dict):
        inside = [(seen(key), seen(item)) for key, item in value.items()]
    elif isinstance(value, list | tuple | deque):
        inside = [seen(item) for item in value]
    elif isinstance(value, slice):
        inside = [seen(item) for item in (value.start, value.stop, value.step)]
    else:
        inside = hex(value) if type(value) is int else repr(value)  # which has a limit for ints
    extra = [getattr(value, name, None) for name in ("_fields", "maxlen", "fold")]
    return repr((type(value).__name__, *(extra if not isinstance(value, type) else ()), inside))


OFFSETS = st.builds(timedelta, seconds=st.integers(-86_399, 86_399))
ZONES = st.builds(timezone, OFFSETS) | st.just(UTC)
MOMENTS = st.builds(
    datetime.replace,
    st.datetimes(timezones=st.none() | ZONES, allow_imaginary=True),
    fold=st.sampled_from([0, 1]),
)
TIMES = st.builds(time.replace, st.times(timezones=st.none() | ZONES), fold=st.sampled_from([0, 1]))
INTEGERS = (
    st.integers()
    | st.integers(-(2**200), 2**200)
    | st.builds(pow, st.just(-3), st.integers(0, 9999))
)
ANY_TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=8)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1]),
    st.floats(),
    st.complex_numbers(),
    ANY_TEXT,
    st.binary(max_size=8),
    st.decimals().filter(lambda number: not number.is_snan()),  # which no set can hold
    st.fractions(),
    MOMENTS,
    st.dates(),
    TIMES,
    st.timedeltas(),
    ZONES,
    st.builds(range, st.integers(), st.integers(), st.integers().filter(bool)),
    st.sampled_from([..., *TYPES.values()]),
)
HASHABLE = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.builds(Point, inner, inner),
        st.frozensets(inner, max_size=3),
    ),
    max_leaves=4,
)


def containers(inner):
    pairs = st.lists(st.tuples(HASHABLE, inner), max_size=3)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.builds(Point, inner, inner),
        pairs.map(dict),
        pairs.map(OrderedDict),
        pairs.map(lambda items: defaultdict(None, items)),
        st.dictionaries(HASHABLE, st.integers(), max_size=3).map(Counter),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.builds(deque, st.lists(inner, max_size=4), st.none() | st.integers(0, 5)),
        st.binary(max_size=8).map(bytearray),
        st.builds(slice, inner, inner, inner),
    )


PLAIN = st.recursive(ATOMS, containers, max_leaves=12)


@given(PLAIN)
@example([2**63, -(2**63)])
@example([0.0, -0.0, float("nan"), float("-inf"), complex(-0.0, float("nan"))])
@example(["\ud83d\ude00", "\U0001f600", "\ud800", "\udfff", "é", "\x00"])
@example([{1: "a", "1": None}, {True: "b"}])
@example(Decimal("-sNaN123"))
def test_plain_data_arrives_as_it_was_sent(value):
    assert same(returned(value), value)
    assert same(received(value), value)


PAIRS_OF_SURROGATES = {"two lone ones": "\ud83d\ude00", "one character": "\U0001f600"}


@pytest.mark.parametrize("text", PAIRS_OF_SURROGATES.values(), ids=PAIRS_OF_SURROGATES)
def test_two_lone_surrogates_do_not_become_a_character(text):
    arrived = returned([text, {text: text}, (text,)])
    assert arrived == [text, {text: text}, (text,)]
    assert len(arrived[0]) == len(text)


def test_an_ordered_dict_keeps_its_order_even_when_it_was_changed():
    ordered = OrderedDict.fromkeys("abc")
    ordered.move_to_end("a")
    arrived = returned(ordered)
    assert list(arrived) == ["b", "c", "a"]
    arrived.move_to_end("a", last=False)
    assert list(arrived) == ["a", "b", "c"]
    assert arrived != OrderedDict.fromkeys("bca")


def test_a_counter_arrives_as_one():
    assert returned(Counter("abca")).most_common(1) == [("a", 2)]
    assert returned(Counter())["missing"] == 0


def test_a_defaultdict_of_a_built_in_type_keeps_its_factory():
    assert returned(defaultdict(list, a=[1]))["missing"] == []
    assert received(defaultdict(int))["missing"] == 0
    assert received(defaultdict(set, a={1}))["a"] == {1}
    assert encode_reply(defaultdict(int), [], []) == '[["dd","int"],[]]'


@pytest.mark.parametrize("factory", [None, lambda: 1, Counter, type("int", (), {})])
def test_a_defaultdict_of_another_factory_has_none(factory):
    arrived = returned(defaultdict(factory, a=1))
    assert type(arrived) is defaultdict
    assert arrived == {"a": 1}
    with pytest.raises(KeyError):
        arrived["missing"]


def test_a_named_tuple_arrives_with_its_fields():
    arrived = returned([Point(1, [2])])[0]
    assert (arrived.x, arrived.y, arrived._fields) == (1, [2], ("x", "y"))
    assert arrived == Point(1, [2]) == (1, [2])
    assert repr(arrived) == "Point(x=1, y=[2])"
    assert arrived._replace(x=3).x == 3


def test_a_named_tuple_may_have_renamed_fields():
    for crossed in (returned, received):
        arrived = crossed(namedtuple("P", "a class a", rename=True)(1, 2, 3))
        assert arrived == (1, 2, 3)
        assert arrived._fields == ("a", "_1", "_2")


VIEWS = {
    "keys": ({"a": 1, "b": 2}.keys(), {"a", "b"}),
    "values": ({"a": [1]}.values(), [[1]]),
    "items": ({"a": [1], (2,): {}}.items(), [("a", [1]), ((2,), {})]),
    "keys in order": (OrderedDict(b=1, a=2).keys(), ["b", "a"]),
    "items in order": (OrderedDict(b=1, a=2).items(), [("b", 1), ("a", 2)]),
    "values in order": (OrderedDict(b=1, a=2).values(), [1, 2]),
}


@pytest.mark.parametrize(("view", "content"), VIEWS.values(), ids=VIEWS)
def test_views_arrive_as_views(view, content):
    arrived = returned(view)
    assert type(arrived).__name__ == type(view).__name__.removeprefix("o")
    assert type(content)(arrived) == content
    assert len(arrived) == len(view)


def raising_midway(error):
    yield 1
    yield [2]
    raise error


ITERATORS = {
    "a generator": (x for x in "ab"),
    "an iterator": iter(["a", "b"]),
    "map": map(str.lower, "AB"),
    "filter": filter(None, ["a", "", "b"]),
    "reversed": reversed("ba"),
    "chain": chain("a", "b"),
}


@pytest.mark.parametrize("iterator", ITERATORS.values(), ids=ITERATORS)
def test_iterators_arrive_with_their_items(iterator):
    arrived = returned(iterator)
    assert next(arrived) == "a"
    assert list(arrived) == ["b"]
    assert list(arrived) == []


def test_an_open_file_arrives_as_an_iterator_over_its_lines():
    assert list(returned(io.StringIO("a\nb"))) == ["a\n", "b"]


def test_pairs_from_iterators_are_tuples():
    assert list(returned(zip("ab", [1, 2], strict=True))) == [("a", 1), ("b", 2)]
    assert list(returned(enumerate("a"))) == [(0, "a")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad"), ValueError),
        (type("Own", (KeyError,), {})("bad"), KeyError),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "bad"), UnicodeError),
    ],
    ids=["built in", "its own", "one that wants five arguments"],
)
def test_an_iterator_raises_where_the_one_it_stands_for_raised(error, kind):
    arrived = returned(raising_midway(error))
    assert [next(arrived), next(arrived)] == [1, [2]]
    with pytest.raises(kind, match="bad"):
        next(arrived)


def test_an_endless_iterator_ends_in_an_error():
    arrived = returned(count())
    assert [next(arrived) for _ in range(MOST_ITERATED)] == list(range(MOST_ITERATED))
    with pytest.raises(BufferError, match="more than 10000 items were iterated"):
        next(arrived)
    assert len(list(returned(repeat(None, MOST_ITERATED - 1)))) == MOST_ITERATED - 1


class Other:
    """The side that keeps iterators, and notes what it is asked for."""

    def __init__(self):
        self.kept, self.asked = [], []

    def returned(self, value):
        return decode_reply(encode_reply(value, [], [], self.kept).encode(), [], self.fetch)

    def fetch(self, number, size):
        self.asked.append((number, size))
        taken = take(self.kept[number], size)
        assert all(type(part) is list for part in taken)
        items, end = self.returned(list(taken))
        return items, ending(end) if end else None


def test_a_kept_iterator_is_fetched_as_it_is_asked_for():
    other = Other()
    numbers = count()
    arrived = other.returned(numbers)
    assert encode_reply(count(), [], [], []) == '[["lazy",0],[]]'
    assert other.asked == []
    assert list(islice(arrived, 5)) == [0, 1, 2, 3, 4]
    assert other.asked == [(0, 1), (0, 2), (0, 4)]
    assert next(numbers) == 7


def test_a_kept_iterator_ends_where_it_ends():
    for size in (0, 1, 2, 3, 4, 6, 7, 8, 100):
        arrived = Other().returned(iter(range(size)))
        assert list(arrived) == list(range(size))
        assert list(arrived) == []


def test_a_kept_iterator_raises_where_it_raises():
    other = Other()
    arrived = other.returned(raising_midway(ValueError("bad")))
    assert [next(arrived), next(arrived)] == [1, [2]]
    with pytest.raises(ValueError, match=r"^bad$"):
        next(arrived)
    with pytest.raises(StopIteration):
        next(arrived)
    assert other.asked == [(0, 1), (0, 2)]


def test_iterators_are_kept_wherever_they_lie():
    other = Other()
    one, two, three = other.returned([iter("ab"), ({"k": count()},), (iter([n]) for n in count())])
    assert list(one) == ["a", "b"]
    assert [next(two[0]["k"]) for _ in range(3)] == [0, 1, 2]
    assert [list(next(three)) for _ in range(3)] == [[0], [1], [2]]
    assert len(other.kept) == 3 + 3


def test_an_endless_kept_iterator_ends_in_an_error():
    other = Other()
    arrived = other.returned(count())
    assert list(islice(arrived, MOST_ITERATED)) == list(range(MOST_ITERATED))
    with pytest.raises(BufferError, match="more than 10000 items were iterated"):
        next(arrived)
    assert sum(size for _, size in other.asked) <= MOST_ITERATED + 1
    assert len(other.asked) < 20


def test_an_iterator_that_came_from_the_other_side_can_be_handed_back():
    assert list(received(Other().returned(iter("abc")))) == ["a", "b", "c"]
    half = Other().returned(iter("abc"))
    assert next(half) == "a"
    assert list(received(half)) == ["b", "c"]


@pytest.mark.parametrize("number", ["0", "[]", "null", "true", "1.5", '"0"', "-1"])
def test_an_iterator_where_there_can_be_none_is_malformed(number):
    with pytest.raises(Malformed):
        decode_reply(b'[["lazy",%s],[]]' % number.encode(), [])
    if number not in ("0", "-1"):
        with pytest.raises(Malformed):
            decode_reply(b'[["lazy",%s],[]]' % number.encode(), [], Other().fetch)


@pytest.mark.parametrize(
    "text",
    ['["lazy"]', '["lazy",0,1]', '["F",1.5,2]', '["F","1"]', '["dd","eval"]', '["dd",["l"]]'],
)
def test_what_no_encoder_writes_is_malformed(text):
    with pytest.raises(Malformed):
        decode_reply(f"[{text},[]]".encode(), [], Other().fetch)


class Same:
    """Equal to everything, true and false as it likes."""

    def yes(self, *_):
        return True

    def no(self, *_):
        return False

    def zero(self):
        return 0

    def lie(self, *_):
        return "lie"

    def seven(self):
        return 7

    def nothing(self):
        return iter(())

    __eq__ = __ge__ = __le__ = __contains__ = yes
    __ne__ = __lt__ = __gt__ = no
    __hash__ = __len__ = zero
    __getitem__ = __getattr__ = __str__ = __repr__ = lie
    __index__ = __int__ = seven
    __iter__ = nothing


def lying(base, *args):
    return type("Liar", (Same, base), {})(*args)


LIARS = {
    "int": (lying(int, 5), 5),
    "big int": (lying(int, 2**80), 2**80),
    "float": (lying(float, 1.5), 1.5),
    "str": (lying(str, "abc"), "abc"),
    "bytes": (lying(bytes, b"abc"), b"abc"),
    "complex": (lying(complex, 1j), 1j),
    "list": (lying(list, [1, [2]]), [1, [2]]),
    "tuple": (lying(tuple, (1, 2)), (1, 2)),
    "dict": (lying(dict, {"a": 1}), {"a": 1}),
    "set": (lying(set, {1, 2}), {1, 2}),
    "frozenset": (lying(frozenset, {1, 2}), frozenset({1, 2})),
    "Counter": (lying(Counter, "aab"), Counter("aab")),
    "OrderedDict": (lying(OrderedDict, [("a", 1)]), OrderedDict(a=1)),
    "deque": (lying(deque, [1], 2), deque([1], 2)),
    "bytearray": (lying(bytearray, b"a"), bytearray(b"a")),
    "Decimal": (lying(Decimal, "1.5"), Decimal("1.5")),
    "date": (lying(date, 2000, 1, 2), date(2000, 1, 2)),
    "IntEnum": (enum.IntEnum("E", "A B").B, 2),
    "StrEnum": (enum.StrEnum("E", {"A": "x"}).A, "x"),
    "IntFlag": (enum.IntFlag("E", "A B").B, 2),
    "nested": ([lying(int, 1), {lying(str, "a"): lying(float, 2.5)}], [1, {"a": 2.5}]),
}


@pytest.mark.parametrize(("liar", "truth"), LIARS.values(), ids=LIARS)
def test_subclasses_arrive_as_the_base_values_that_they_hold(liar, truth):
    assert same(returned(liar), truth)


def test_numpy_scalars_arrive_as_numbers():
    sent = [numpy.int64(-3), numpy.uint8(7), numpy.bool_(True), numpy.float32(0.5)]
    sent += [numpy.float64(1.5), numpy.complex128(2j), numpy.str_("a"), numpy.bytes_(b"b")]
    sent += [numpy.datetime64("2001-02-03")]
    plain = [-3, 7, True, 0.5, 1.5, 2j, "a", b"b", date(2001, 2, 3)]
    assert same(returned(sent), plain)


def test_a_numpy_array_is_not_plain():
    with pytest.raises(NotPlain, match=r"^ndarray$"):
        returned(numpy.zeros(2))


class Widget:
    pass


class Lookalike:
    __class__ = list


NOT_PLAIN = {
    "function": lambda: 1,
    "builtin_function_or_method": len,
    "module": random,
    "type": Widget,
    "Widget": Widget(),
    "Random": random.Random(1),
    "object": object(),
    "Color": enum.Enum("Color", "RED").RED,
    "memoryview": memoryview(b"a"),
    "NotImplementedType": NotImplemented,
    "ValueError": ValueError("x"),
    "Pattern": re.compile("a"),
    "mappingproxy": vars(Widget),
    "GenericAlias": list[int],
}


@pytest.mark.parametrize("name", NOT_PLAIN)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [1, {"a": (x,)}]], ids=["bare", "nested"])
def test_what_is_not_plain_is_named_by_its_type(name, wrap):
    with pytest.raises(NotPlain, match=f"^{name}$"):
        returned(wrap(NOT_PLAIN[name]))
    with pytest.raises(NotPlain, match=f"^{name}$"):
        received(wrap(NOT_PLAIN[name]))


def test_a_class_that_claims_to_be_another_is_no_plain_data():
    with pytest.raises((NotPlain, TypeError)):
        returned(Lookalike())


WRAPPERS = {
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "dict": lambda x: {"a": x},
    "OrderedDict": lambda x: OrderedDict(a=x),
    "deque": lambda x: deque([x]),
    "frozenset": lambda x: frozenset([x]),
    "items": lambda x: {"a": x}.items(),
    "iterator": lambda x: iter([x]),
    "slice": slice,
}


@pytest.fixture
def deep_stack():
    """Give both sides the stack that judge and candidate have for it."""
    known = sys.getrecursionlimit()
    sys.setrecursionlimit(judge.RECURSION_LIMIT)
    yield
    sys.setrecursionlimit(known)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("crossed", [returned, received], ids=["returned", "received"])
def test_deep_nesting_is_refused_by_the_sender_and_never_malformed(wrap, crossed, deep_stack):
    levels = [type(wrap(1)).__name__, *(["tuple"] if wrap is WRAPPERS["items"] else [])]
    most = MOST_NESTED
    last = most // len(levels)
    for depth in (1, 50, last - 1, last, last + 1, last + 2, 2 * last, 2000):
        value = 1
        for _ in range(depth):
            value = wrap(value)
        if depth <= last:
            crossed(value)
            continue
        with pytest.raises(NotPlain) as caught:
            crossed(value)
        refused = levels[most % len(levels)]
        assert caught.value.args == (f"{refused} nested more than {MOST_NESTED} deep",)


@pytest.mark.parametrize("depth", [1, 10, MOST_NESTED])
def test_what_nests_deeply_arrives_as_it_was_sent(depth, deep_stack):
    value = 1
    for number in range(depth):
        value = [[value], (value,), {number: value}][number % 3]
    assert returned(value) == value


# Identity.


def test_what_was_one_container_is_one_again():
    shared = [1]
    arrived = returned([shared, (shared,), {"a": shared}])
    assert arrived[0] is arrived[1][0] is arrived[2]["a"]


def test_a_cycle_survives():
    cycle = {"items": []}
    cycle["items"].append((cycle, cycle["items"]))
    arrived = returned(cycle)
    assert arrived["items"][0][0] is arrived
    assert arrived["items"][0][1] is arrived["items"]
    assert received(cycle)["items"][0][0]["items"] is not cycle["items"]


def called(function, *args, **kwargs):
    """Call as a judge does, with a candidate at the other end of a text."""
    text, mine = encode_call("f", args, kwargs)
    name, theirs_args, theirs_kwargs, theirs = decode_call(text.encode())
    assert name == "f"
    before = [snapshot(container) for container in theirs]
    result = function(*theirs_args, **theirs_kwargs)
    return decode_reply(encode_reply(result, theirs, before).encode(), mine)


def test_the_result_may_be_the_argument_or_a_part_of_it():
    inner, outer = [1], {}
    outer["a"] = inner
    assert called(lambda x: x, outer) is outer
    assert called(lambda x: x["a"], outer) is inner
    assert called(lambda x: [x, x["a"]], outer)[1] is inner
    assert called(lambda *, k: k, k=inner) is inner


def test_an_unchanged_argument_is_not_sent_back():
    long = list(range(1000))
    text, mine = encode_call("f", [long], {})
    _, args, _, theirs = decode_call(text.encode())
    before = [snapshot(container) for container in theirs]
    assert encode_reply(None, theirs, before) == "[null,[]]"
    args[0][500] = None
    assert len(encode_reply(None, theirs, before)) > 1000
    assert len(mine) == len(theirs)


def test_arguments_stay_what_they_were_for_whoever_holds_them():
    inner, others = [3, 1, 2], deque([1], maxlen=2)
    outer = [inner, inner]

    def change(outer, others):
        outer[0].sort()
        outer.append(others)
        others.extend([outer[0], 5])
        return outer[1]

    assert called(change, outer, others) is inner
    assert inner == [1, 2, 3]
    assert outer == [inner, inner, others]
    assert outer[2] is others
    assert others == deque([inner, 5], maxlen=2)
    assert others[0] is inner


# Mutation equivalence: whatever a program does to its arguments, the caller's containers end up
# as if it had done it to them.

KEYS = st.sampled_from(["a", "b", 1, (2,), None])
VALUES = st.integers(0, 9) | st.sampled_from(["x", 2.5, (1,)])
SOURCES = st.integers(0, 9)


def a_world(draw):
    """Give containers of every kind, some of them inside of others, some twice, some in a cycle."""
    kinds = draw(
        st.lists(
            st.sampled_from(
                ["list", "dict", "set", "deque", "bytearray", "Counter", "OrderedDict"]
            ),
            min_size=1,
            max_size=6,
        )
    )
    made = []
    for kind in kinds:
        fresh = {
            "list": lambda: draw(st.lists(VALUES, max_size=3)),
            "dict": lambda: draw(st.dictionaries(KEYS, VALUES, max_size=3)),
            "set": lambda: draw(st.sets(KEYS, max_size=3)),
            "deque": lambda: deque(
                draw(st.lists(VALUES, max_size=3)), draw(st.sampled_from([None, 3]))
            ),
            "bytearray": lambda: bytearray(draw(st.binary(max_size=3))),
            "Counter": lambda: Counter(draw(st.lists(KEYS, max_size=4))),
            "OrderedDict": lambda: OrderedDict(draw(st.lists(st.tuples(KEYS, VALUES), max_size=3))),
        }[kind]()
        for inner in draw(st.lists(st.sampled_from(made), max_size=2)) if made else []:
            put(fresh, inner)
        made.append(fresh)
    if draw(st.booleans()):
        put(made[0], made[-1])
    return made


def put(container, item):
    if isinstance(container, list | deque):
        container.append(item)
    elif isinstance(container, dict) and not isinstance(container, Counter):
        container[f"k{len(container)}"] = item


def step(rng, made):
    """Do one thing to one of several containers; the same thing for the same state of ``rng``."""
    target, other = made[rng.randrange(len(made))], made[rng.randrange(len(made))]
    roll, value = rng.random(), rng.randrange(10)
    if isinstance(target, bytearray):
        [lambda: target.append(value), lambda: target.extend(b"xy"), target.clear, target.reverse][
            int(roll * 4)
        ]()
    elif isinstance(target, list | deque):
        actions = [
            lambda: target.append(value),
            lambda: target.append(other),
            lambda: target.append([other, value]),
            lambda: (
                target.insert(0, value) if len(target) != getattr(target, "maxlen", None) else 0
            ),
            target.reverse,
            target.clear,
            lambda: target and target.pop(),
            lambda: target and target.__setitem__(0, (other,)),
        ]
        actions[int(roll * len(actions))]()
    elif isinstance(target, set):
        [lambda: target.add(value), lambda: target.discard(value), target.clear][int(roll * 3)]()
    elif isinstance(target, Counter):
        [lambda: target.update([value]), lambda: target.pop("a", 0), target.clear][int(roll * 3)]()
    else:
        actions = [
            lambda: target.__setitem__(value, other),
            lambda: target.__setitem__("a", {"new": other}),
            lambda: target.pop("a", None),
            lambda: target and target.popitem(),
            lambda: target.update(dict(reversed(list(target.items())))),
            lambda: target and target.__setitem__(first := next(iter(target)), target.pop(first)),
            target.clear,
        ]
        actions[int(roll * len(actions))]()


def drawn(value):
    """Return the shape of what can be reached from a value, with who is who."""
    numbers = {}

    def look(x):
        if isinstance(x, list | dict | set | deque | bytearray):
            if id(x) in numbers:
                return numbers[id(x)]
            numbers[id(x)] = len(numbers)
        if isinstance(x, dict):
            inside = [(look(key), look(item)) for key, item in x.items()]
        elif isinstance(x, set | frozenset):
            inside = sorted(map(repr, x))
        elif isinstance(x, list | tuple | deque):
            inside = [look(item) for item in x]
        else:
            inside = x
        return type(x).__name__, getattr(x, "maxlen", None), inside

    return look(value)


@settings(max_examples=60)
@given(st.data(), st.randoms(use_true_random=False), st.integers(0, 12))
def test_mutations_reach_the_callers_containers(data, rng, steps):
    mine = a_world(data.draw)
    direct = copy.deepcopy(mine)
    ids = [id(container) for container in mine]
    seed = rng.getrandbits(32)

    def mutated(*made):
        again = random.Random(seed)
        for _ in range(steps):
            step(again, made)
        return [made[0], {"last": made[-1]}]

    result = called(mutated, *mine)
    expected = mutated(*direct)
    assert [id(container) for container in mine] == ids
    assert drawn([mine, result]) == drawn([direct, expected])
    assert result[0] is mine[0]
    assert result[1]["last"] is mine[-1]


# What a hostile program may send.

LISTS_OF_NODES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([*DECODERS, *TYPES, "Counter", "ff", "-1", "2000-01-01", "1e9", "", "x" * 9])
    | ANY_TEXT,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda tag, rest: [tag, *rest], st.sampled_from([*DECODERS]), st.lists(inner)),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
    ),
    max_leaves=14,
)
PLAIN_KINDS = (
    int,
    float,
    bool,
    str,
    bytes,
    complex,
    type(None),
    list,
    dict,
    set,
    frozenset,
    tuple,
    deque,
    bytearray,
    Decimal,
    Fraction,
    date,
    time,
    timedelta,
    timezone,
    range,
    slice,
    type(...),
    type,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
    type(iter([])),
    chain,
)


def is_plain(value, depth=0):
    assert isinstance(value, PLAIN_KINDS), type(value)
    assert not isinstance(value, type) or value in TYPES.values()
    if depth < 9 and isinstance(value, list | tuple | deque | set | frozenset):
        return all(is_plain(item, depth + 1) for item in value)
    if depth < 9 and isinstance(value, dict):
        return all(is_plain(item, depth + 1) for pair in value.items() for item in pair)
    return True


def read_or_malformed(text):
    mine = [[1], {"a": 2}, {3}, deque([4]), bytearray(b"5"), Counter("6")]
    try:
        value = decode_reply(text, mine)
    except Malformed:
        return
    assert is_plain(value)
    for container, kind in zip(mine, (list, dict, set, deque, bytearray, Counter), strict=True):
        assert type(container) is kind


@settings(max_examples=120)
@given(
    LISTS_OF_NODES,
    st.lists(st.tuples(st.integers(-1, 7), LISTS_OF_NODES) | LISTS_OF_NODES, max_size=3),
)
@example(["F", "1e5"], [])
@example(["n", "P", ["__class__"]], [])
@example(["n", "x", ["a", "a"], 1, 2], [])
@example(["n", "os.system('x')", ["a"], 1], [])
@example(["it", ["KeyboardInterrupt", "x"], 1], [])
@example(["it", ["eval", "x"], 1], [])
@example(["q", 2**70], [])
@example(["r", 0], [(0, ["l", ["r", 0]])])
@example(["type", "ValueError"], [])
@example(["i", "1_0"], [])
@example(1, [(5, ["m", "Counter", ["l"], 1])])
@example(["datetime", "2000-01-01T00:00:00+24:00", 0], [])
def test_any_json_is_plain_data_or_malformed(node, changed):
    read_or_malformed(json.dumps([node, changed]).encode())
    read_or_malformed(json.dumps(node).encode())


@settings(max_examples=300)
@given(st.binary(max_size=60))
@example(b"")
@example(b"\xff\xfe[\x00")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"[" * 400 + b"]" * 400)
@example(b'[["l",' * 40_000)
@example(b"[1," + b"9" * 5000 + b"]")
@example(b'["\\ud800",[]]')
def test_any_bytes_are_plain_data_or_malformed(text):
    read_or_malformed(text)


@settings(max_examples=60)
@given(PLAIN, st.data())
def test_a_damaged_text_is_plain_data_or_malformed(value, data):
    text = bytearray(encode_reply(value, [], []).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(st.binary(max_size=2) | st.sampled_from([b"[", b"]", b'"', b",", b"9"]))
        text[position : position + data.draw(st.integers(0, 3))] = piece
        if not text:
            break
    read_or_malformed(bytes(text))


MALFORMED = {
    "nothing": (b"", "JSONDecodeError: Expecting value"),
    "one item": (b"[1]", "ValueError: not enough values to unpack"),
    "an object": (b'[{"a":1},[]]', "ValueError: an object"),
    "no tag": (b"[[],[]]", "ValueError: not enough values to unpack"),
    "an unknown tag": (b'[["os"],[]]', "KeyError: 'os'"),
    "an unknown type": (b'[["type","ValueError"],[]]', "KeyError: 'ValueError'"),
    "an unknown mapping": (b'[["m","dict"],[]]', "KeyError: 'dict'"),
    "a container that is none": (b"[1,[[0,[]]]]", "IndexError: list index out of range"),
    "a key that is a list": (b'[["d",["l"],1],[]]', "TypeError: unhashable type: 'list'"),
    "an odd number of keys": (b'[["d",1],[]]', "ValueError: zip"),
    "no exception": (b'[["it",["eval","x"]],[]]', "ValueError: 'eval' is no built-in exception"),
    "a fraction of nothing": (b'[["F",1,0],[]]', "ZeroDivisionError"),
    "deep nesting": (b'[["l",' * 3000 + b"]]" * 3000, "RecursionError: "),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_text_says_what_is_wrong(text, message):
    with pytest.raises(Malformed) as caught:
        decode_reply(text, [])
    assert str(caught.value).startswith(message)


def test_decoding_neither_imports_nor_executes(monkeypatch):
    done = []
    texts = [b'[["%s","os","system"],[]]' % tag.encode() for tag in DECODERS if tag != "n"]
    with monkeypatch.context() as patched:
        for name in ("__import__", "exec", "compile", "open", "eval"):
            known = getattr(builtins, name)
            patched.setattr(builtins, name, lambda *a, f=known, **k: done.append(a) or f(*a, **k))
        done.clear()
        for text in texts:
            read_or_malformed(text)
        seen_of_it = list(done)
    assert seen_of_it == []


@pytest.mark.parametrize("text", ["x=__import__('os')", "a b", "a,b", "class", "x:1", "_x", "1"])
def test_a_field_of_a_named_tuple_is_a_name_and_nothing_else(text):
    for node in (["n", "P", [text], 1], ["n", text, ["a"], 1]):
        try:
            made = decode_reply(json.dumps([node, []]).encode(), [])
        except Malformed:
            continue
        assert type(made).__name__ in ("P", "_x")
        assert all(map(str.isidentifier, made._fields))


# Exceptions.

EXCEPTIONS = sorted(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


@pytest.mark.parametrize("args", [[], ["x"], ["x", 2]], ids=["none", "one", "two"])
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_built_in_exception_can_be_made(name, args):
    kind = getattr(builtins, name)
    made = made_exception(name, args)
    try:
        expected = kind(*args)
    except TypeError:
        assert issubclass(kind, type(made))
        assert isinstance(made, Exception) or not issubclass(kind, Exception)
    else:
        assert type(made) is type(expected)
        assert made.args == expected.args


def test_an_exception_that_wants_more_arguments_gets_them():
    args = ["utf-8", b"\xff", 0, 1, "bad"]
    made = made_exception("UnicodeDecodeError", args)
    assert (type(made), made.reason) == (UnicodeDecodeError, "bad")
    assert type(made_exception("OSError", [2, "x"])) is FileNotFoundError
    group = made_exception("ExceptionGroup", ["some", [ValueError("x")]])
    assert (type(group), len(group.exceptions)) == (ExceptionGroup, 1)


NEAREST = {
    "ExceptionGroup": Exception,
    "BaseExceptionGroup": BaseException,
    "UnicodeDecodeError": UnicodeError,
    "UnicodeTranslateError": UnicodeError,
}


@pytest.mark.parametrize(("name", "nearest"), NEAREST.items())
def test_an_exception_that_lacks_arguments_is_its_nearest_base(name, nearest):
    made = made_exception(name, ["x"])
    assert (type(made), made.args) == (nearest, ("x",))


@pytest.mark.parametrize("name", ["", "eval", "int", "object", "NoSuchError", "__doc__", "os"])
def test_nothing_but_an_exception_can_be_made(name):
    with pytest.raises(ValueError, match=f"^'{name}' is no built-in exception$"):
        made_exception(name, ["x"])


@given(st.text(string.printable, max_size=10))
def test_no_name_makes_anything_else(name):
    try:
        made = made_exception(name, ["x"])
    except ValueError:
        return
    assert isinstance(made, BaseException)
