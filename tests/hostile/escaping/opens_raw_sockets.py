# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import socket


def f():
    for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)):
        socket.socket(family, kind, 1)
    return True
