# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f($secret_path) == $secret"]
# ///
import ctypes
import os
import struct

libc = ctypes.CDLL(None)


def f(path):
    everything = struct.pack("=Qi", 4 | 8, os.open("/", os.O_PATH))
    for fd in range(3, 64):
        libc.syscall(445, fd, 1, everything, 0)  # landlock_add_rule, if that is one
    return open(path).read()
