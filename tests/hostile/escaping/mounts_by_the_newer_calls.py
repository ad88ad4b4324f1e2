# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).syscall(430, b"tmpfs", 0) >= 0
