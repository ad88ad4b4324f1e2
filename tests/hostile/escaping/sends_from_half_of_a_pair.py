# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($datagram)"]
# ///
import socket


def f(path):
    own, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return bool(own.sendto(b"x", path))
