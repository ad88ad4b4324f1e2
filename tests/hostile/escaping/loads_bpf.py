# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, 0, bytes(64), 64) >= 0
