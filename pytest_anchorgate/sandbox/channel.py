"""Framed messages between two processes of the sandbox, over a stream socket.

A frame is its length in four bytes, least significant first, then a line that says what it is,
then its content.
"""

from __future__ import annotations

import os

MOST_BYTES = 64 << 20  # of one frame
_PIECE = 1 << 16


class Closed(Exception):
    """The other side is gone."""


class Oversized(Exception):
    """The other side announced a frame of more than MOST_BYTES; ``args[0]`` says how many."""


class Channel:
    """One end of a conversation."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._read = bytearray()

    def send(self, head: str, content: bytes) -> None:
        """Write one frame; raises Closed when nobody can read it any more."""
        frame = head.encode() + b"\n" + content
        rest = memoryview(len(frame).to_bytes(4, "little") + frame)
        try:
            while rest:
                rest = rest[os.write(self.fd, rest) :]
        except OSError:
            raise Closed from None

    def receive(self) -> tuple[str, bytes]:
        """Return the next frame's first line and its content; raises Closed or Oversized."""
        size = int.from_bytes(self._take(4), "little")
        if size > MOST_BYTES:
            raise Oversized(size)
        head, _, content = self._take(size).partition(b"\n")
        return head.decode(errors="replace"), content

    def _take(self, size: int) -> bytes:
        while len(self._read) < size:
            try:
                piece = os.read(self.fd, max(_PIECE, size - len(self._read)))
            except OSError:
                raise Closed from None
            if not piece:
                raise Closed
            self._read += piece
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken
