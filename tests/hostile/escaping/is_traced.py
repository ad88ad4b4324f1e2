# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f():
    return libc.ptrace(0, 0, None, None) == 0
