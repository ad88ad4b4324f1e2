# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 155, "aarch64": 41}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, b".", b".") == 0
