# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import socket


def f():
    socket.sethostname("planted")
    return True
