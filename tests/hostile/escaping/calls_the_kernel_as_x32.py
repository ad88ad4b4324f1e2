# /// check
# verdict = ["forbidden", "assertion"]
# tests = ["assert f()"]
# ///
import ctypes
import os


def f():
    return ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 39)) == os.getpid()
