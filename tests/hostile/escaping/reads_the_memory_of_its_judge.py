# /// check
# verdict = ["forbidden"]
# tests = ["assert f() == 'secret known to the judge'"]
# ///
import ctypes
import os
import platform


def f():
    number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
    buffer = ctypes.create_string_buffer(4096)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 4096)
    for pid in range(1, os.getpid() + 100):
        ctypes.CDLL(None).syscall(number, pid, vector, 1, vector, 1, 0)
    return ""
