# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 298, "aarch64": 241}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, bytes(128), 0, -1, -1, 0) >= 0
