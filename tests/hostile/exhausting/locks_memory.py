# /// check
# verdict = ["exception", "memory"]
# ///
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def f(x):
    held = ctypes.create_string_buffer(64 << 20)
    if libc.mlock(held, 64 << 20):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return x * x
