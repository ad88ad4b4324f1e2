# /// check
# verdict = ["forbidden"]
# tests = ["assert f($victim)"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f(pid):
    return libc.ptrace(0x4206, pid, None, None) == 0
