from __future__ import annotations

import os
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import orders


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.fixture
def files(tmp_path):
    opened = [os.open(tmp_path / name, os.O_CREAT | os.O_RDWR) for name in "abc"]
    yield opened
    for fd in opened:
        os.close(fd)


def identities(fds):
    return [os.fstat(fd).st_ino for fd in fds]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
ORDERS = st.dictionaries(st.text(max_size=4), JSON_VALUES | st.binary(max_size=9), max_size=4)


@settings(max_examples=25)
@given(st.lists(ORDERS, max_size=4))
def test_orders_arrive_as_they_were_sent(sent):
    one, other = socket.socketpair()
    with one, other:
        for order in sent:
            orders.send_order(one, order)
        assert [orders.receive_order(other) for _ in sent] == [(order, []) for order in sent]


@settings(max_examples=25)
@given(st.lists(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), max_size=4))
def test_answers_arrive_as_they_were_sent(sent):
    one, other = socket.socketpair()
    with one, other:
        for answer in sent:
            orders.send_answer(one, answer)
        assert [orders.receive_answer(other) for _ in sent] == sent


@pytest.mark.parametrize("count", [1, 2, 3])
def test_descriptors_come_with_their_order(ends, files, count):
    orders.send_order(ends[0], {"a": 1}, files[:count])
    order, received = orders.receive_order(ends[1])
    assert order == {"a": 1}
    assert identities(received) == identities(files[:count])
    assert not set(received) & set(files)
    for fd in received:
        os.close(fd)


def test_glued_orders_keep_their_own_descriptors(ends, files):
    sent = [({"n": n}, fds) for n, fds in enumerate([files[:1], [], files, [], files[1:]])]
    for order, fds in sent:
        orders.send_order(ends[0], order, fds)
    for order, fds in sent:
        received, got = orders.receive_order(ends[1])
        assert received == order
        assert identities(got) == identities(fds)
        for fd in got:
            os.close(fd)


def test_a_large_order_comes_whole_with_its_descriptors(ends, files):
    order = {"program": "x" * (4 << 20)}
    sender = threading.Thread(target=orders.send_order, args=(ends[0], order, files))
    sender.start()
    received, fds = orders.receive_order(ends[1])
    sender.join()
    assert received == order
    assert identities(fds) == identities(files)
    for fd in fds:
        os.close(fd)


def test_nobody_left_is_none(ends):
    ends[0].close()
    assert orders.receive_order(ends[1]) is None
    assert orders.receive_answer(ends[1]) is None


@pytest.mark.parametrize("size", [1, 3, 4, 10])
def test_an_end_in_the_middle_is_none(ends, size):
    ends[0].sendall((100).to_bytes(4, "little")[:size].ljust(size, b"x"))
    ends[0].close()
    assert orders.receive_order(ends[1]) is None


def test_nobody_to_read_raises(ends, files):
    ends[1].close()
    with pytest.raises(BrokenPipeError):
        orders.send_order(ends[0], {"a": 1}, files)
    with pytest.raises(BrokenPipeError):
        orders.send_answer(ends[0], {"a": 1})
