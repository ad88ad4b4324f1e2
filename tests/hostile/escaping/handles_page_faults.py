# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 323, "aarch64": 282}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, 1) >= 0
