from __future__ import annotations

import os
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import channel
from pytest_anchorgate.sandbox.channel import Channel, Closed, Oversized


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def frame(content):
    return len(content).to_bytes(4, "little") + content


HEADS = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=5))
def test_frames_arrive_as_they_were_sent(frames):
    one, other = socket.socketpair()
    with one, other:
        for head, content in frames:
            Channel(one.fileno()).send(head, content)
        receiver = Channel(other.fileno())
        assert [receiver.receive() for _ in frames] == frames


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5), st.data())
def test_frames_may_come_in_any_pieces(contents, data):
    text = b"".join(frame(b"h\n" + content) for content in contents)
    one, other = socket.socketpair()
    with one, other:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

        def write():
            for piece in pieces:
                one.sendall(piece)

        writer = threading.Thread(target=write)
        writer.start()
        receiver = Channel(other.fileno())
        assert [receiver.receive() for _ in contents] == [("h", content) for content in contents]
        writer.join()


def test_a_frame_may_be_larger_than_any_buffer(ends):
    content = os.urandom(3 << 20)
    writer = threading.Thread(target=Channel(ends[0].fileno()).send, args=("big", content))
    writer.start()
    assert Channel(ends[1].fileno()).receive() == ("big", content)
    writer.join()


def test_a_slow_writer_is_waited_for(ends):
    def write():
        for byte in frame(b"head\ncontent"):
            time.sleep(0.002)
            ends[0].send(bytes([byte]))

    threading.Thread(target=write).start()
    assert Channel(ends[1].fileno()).receive() == ("head", b"content")


FRAMES = {
    "no line": (b"head", ("head", b"")),
    "nothing": (b"", ("", b"")),
    "two lines": (b"a\nb\nc", ("a", b"b\nc")),
    "no UTF-8": (b"\xff\nb", ("\ufffd", b"b")),
}


@pytest.mark.parametrize(("content", "received"), FRAMES.values(), ids=FRAMES)
def test_a_frame_of_odd_content_is_read_all_the_same(ends, content, received):
    ends[0].sendall(frame(content))
    assert Channel(ends[1].fileno()).receive() == received


def test_what_was_sent_before_the_end_is_still_read(ends):
    Channel(ends[0].fileno()).send("last", b"words")
    ends[0].close()
    receiver = Channel(ends[1].fileno())
    assert receiver.receive() == ("last", b"words")
    with pytest.raises(Closed):
        receiver.receive()


@pytest.mark.parametrize("left", [b"", b"\x01", frame(b"whole")[:-1]], ids=["none", "head", "cut"])
def test_an_end_in_the_middle_is_closed(ends, left):
    ends[0].sendall(left)
    ends[0].close()
    with pytest.raises(Closed):
        Channel(ends[1].fileno()).receive()


def test_nobody_to_write_to_is_closed(ends):
    ends[1].close()
    with pytest.raises(Closed):
        Channel(ends[0].fileno()).send("head", b"content")


def test_a_closed_descriptor_is_closed(ends):
    number = ends[0].detach()
    os.close(number)
    for use in (Channel(number).receive, lambda: Channel(number).send("a", b"")):
        with pytest.raises(Closed):
            use()


@pytest.mark.parametrize("size", [channel.MOST_BYTES + 1, 0xFFFFFFFF])
def test_an_oversized_frame_is_refused_before_it_comes(ends, size):
    ends[0].sendall(size.to_bytes(4, "little"))
    with pytest.raises(Oversized) as caught:
        Channel(ends[1].fileno()).receive()
    assert caught.value.args == (size,)


def test_the_largest_frame_is_read(ends, monkeypatch):
    monkeypatch.setattr(channel, "MOST_BYTES", 10)
    sender, receiver = Channel(ends[0].fileno()), Channel(ends[1].fileno())
    sender.send("h", b"12345678")
    assert receiver.receive() == ("h", b"12345678")
    sender.send("h", b"123456789")
    with pytest.raises(Oversized):
        receiver.receive()
