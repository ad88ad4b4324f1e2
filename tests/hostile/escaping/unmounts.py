# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes


def f():
    return ctypes.CDLL(None).umount2(b"/tmp", 2) == 0
