# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($datagram)"]
# ///
import socket


def f(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        return bool(sender.sendto(b"x", path))
