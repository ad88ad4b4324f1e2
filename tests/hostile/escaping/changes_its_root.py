# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import os


def f():
    os.chroot("/tmp")
    return True
