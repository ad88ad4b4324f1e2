# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).syscall(428, -100, b"/", 1) >= 0
