# /// check
# verdict = ["forbidden", "assertion"]
# tests = ["assert f()"]
# ///
import ctypes
import os
import struct


def f():
    arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    pid = ctypes.CDLL(None).syscall(435, arguments, 88)
    if pid == 0:
        os._exit(0)
    return pid > 0
