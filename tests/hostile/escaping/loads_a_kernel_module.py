# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    number = {"x86_64": 175, "aarch64": 105}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, bytes(64), 64, b"") == 0
