# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path)"]
# ///
import ctypes
import os
import struct


def f(path):
    libc = ctypes.CDLL(None, use_errno=True)
    value = ctypes.create_string_buffer(b"x")
    argument = struct.pack("=QII", ctypes.addressof(value), 1, 0)
    if libc.syscall(463, -100, path.encode(), 0, b"user.planted", argument, 16):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True
