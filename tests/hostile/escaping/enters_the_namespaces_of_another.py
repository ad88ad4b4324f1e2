# /// check
# verdict = ["forbidden", "exception"]
# tests = ["assert f($pytest)"]
# ///
import ctypes
import os


def f(pid):
    return ctypes.CDLL(None).setns(os.pidfd_open(pid), 0x20000) == 0
