# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 248, "aarch64": 217}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, b"user", b"left", b"x", 1, -4) > 0
