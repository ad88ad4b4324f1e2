# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).syscall(425, 4, bytes(120)) >= 0
