# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 246, "aarch64": 104}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, 0, 0, None, 0) == 0
