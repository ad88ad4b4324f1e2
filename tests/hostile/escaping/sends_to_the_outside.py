# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import socket


def f():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return bool(sender.sendto(b"x", ("192.0.2.1", 53)))
