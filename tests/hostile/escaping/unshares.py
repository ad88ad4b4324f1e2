# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).unshare(0x10000000) == 0
