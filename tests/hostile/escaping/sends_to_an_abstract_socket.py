# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($abstract)"]
# ///
import socket


def f(name):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        return bool(sender.sendto(b"x", name))
