# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import ctypes
import os
import struct


def f():
    found = "user.left" in os.listxattr(".")
    value = ctypes.create_string_buffer(b"x")
    argument = struct.pack("=QII", ctypes.addressof(value), 1, 0)
    ctypes.CDLL(None).syscall(463, -100, b".", 0, b"user.left", argument, 16)
    try:
        os.setxattr(".", "user.left", b"x")
    except OSError:
        pass
    return found
