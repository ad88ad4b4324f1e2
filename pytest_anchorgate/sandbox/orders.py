"""Messages between a zygote and whoever started it: length in four bytes, content, descriptors.

Orders are marshalled, since they carry code and nobody but the starter writes them; what comes
back is JSON.
"""

from __future__ import annotations

import json
import marshal
import socket

TYPE_CHECKING = False  # as from typing, unimported
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MOST_DESCRIPTORS = 3


def send_order(sock: socket.socket, order: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send an order; raises OSError when nobody can read it any more."""
    _send(sock, marshal.dumps(order), fds)


def receive_order(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next order and its descriptors, or None when nobody gives any more."""
    content, fds = _receive(sock)
    return (marshal.loads(content), fds) if content else None


def send_answer(sock: socket.socket, answer: dict[str, Any]) -> None:
    """Send an answer; raises OSError when nobody can read it any more."""
    _send(sock, json.dumps(answer).encode(), ())


def receive_answer(sock: socket.socket) -> dict[str, Any] | None:
    """Return the next answer, or None when nobody is left to give one."""
    content, _ = _receive(sock)
    return json.loads(content) if content else None


def _send(sock: socket.socket, content: bytes, fds: Sequence[int]) -> None:
    frame = len(content).to_bytes(4, "little") + content
    sent = socket.send_fds(sock, [frame], fds) if fds else sock.send(frame)
    if sent < len(frame):
        sock.sendall(memoryview(frame)[sent:])


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    try:
        # Descriptors come with the first byte of their message and never with an earlier one.
        head, fds, _, _ = socket.recv_fds(sock, 4, MOST_DESCRIPTORS)
        if not head:
            return b"", []
        head += _exactly(sock, 4 - len(head))
        return _exactly(sock, int.from_bytes(head, "little")), fds
    except ConnectionError:
        return b"", []


def _exactly(sock: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        piece = sock.recv(min(size, 1 << 20))
        if not piece:
            raise ConnectionResetError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
