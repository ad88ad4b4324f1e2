# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($abstract)"]
# ///
import socket


def f(name):
    own, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return bool(own.sendto(b"x", name))
