# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($udp)"]
# ///
import socket


def f(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return bool(sender.sendto(b"x", ("127.0.0.1", port)))
