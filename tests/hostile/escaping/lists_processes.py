# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() > 1"]
# ///
import os


def f():
    return sum(name.isdigit() for name in os.listdir("/proc"))
