# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).setns(0, 0) == 0
