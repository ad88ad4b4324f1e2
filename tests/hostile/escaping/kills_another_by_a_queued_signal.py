# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import ctypes


def f(pid):
    return ctypes.CDLL(None).sigqueue(pid, 9, ctypes.c_void_p(0)) == 0
