# /// check
# verdict = ["forbidden"]
# tests = ["assert f($root)"]
# ///
import ctypes


def f(root):
    return ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, b"") == 0
