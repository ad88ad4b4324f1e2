# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import os
import platform


def f():
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    pid = ctypes.CDLL(None).syscall(number, ctypes.c_ulong(0x10000000 | 17), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid > 0
