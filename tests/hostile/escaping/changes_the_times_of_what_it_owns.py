# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path)"]
# ///
import os


def f(path):
    os.utime(path, (0, 0))
    return True
