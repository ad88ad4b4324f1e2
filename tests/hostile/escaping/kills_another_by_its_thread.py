# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import ctypes
import platform

TKILL, TGKILL = {"x86_64": (200, 234), "aarch64": (130, 131)}[platform.machine()]


def f(pid):
    libc = ctypes.CDLL(None)
    return 0 in (libc.syscall(TGKILL, pid, pid, 9), libc.syscall(TKILL, pid, 9))
