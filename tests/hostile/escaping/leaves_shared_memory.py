# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f():
    found = libc.shmget(0x5EC, 4096, 0o666) >= 0
    libc.shmget(0x5EC, 4096, 0o1666)
    return found
