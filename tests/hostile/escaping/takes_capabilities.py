# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import ctypes
import platform


def f():
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    every = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    number = {"x86_64": 126, "aarch64": 91}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, header, every) == 0
