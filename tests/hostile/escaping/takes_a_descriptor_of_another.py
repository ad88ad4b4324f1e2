# /// check
# verdict = ["forbidden", "exception"]
# tests = ["assert f($victim)"]
# ///
import ctypes
import os


def f(pid):
    return ctypes.CDLL(None).syscall(438, os.pidfd_open(pid), 0, 0) >= 0
